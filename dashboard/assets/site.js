"use strict";
// Everything here is an addition: without scripts the pages show all figures.
(() => {
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const store = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* file:// */ } };
  // Before the body exists, so that the page never flashes in the other theme.
  if (stored()) root.dataset.theme = stored();

  const isDark = () =>
    (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"))
    === "dark";

  function themes() {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      store(root.dataset.theme);
      label();
    });
  }

  const raw = (cell) => cell.dataset.raw ?? cell.textContent.replaceAll("\u2212", "-");
  const number = (text) => (text === "" ? NaN : Number(text.replaceAll(",", "")));

  function compare(first, second) {
    const [a, b] = [number(first), number(second)];
    return Number.isNaN(a) || Number.isNaN(b) ? first.localeCompare(second) : a - b;
  }

  function sort(table, index, header) {
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [raw(row.cells[index]), row]);
    // Unknown values stay last in both directions.
    rows.sort(([a], [b]) =>
      (a === "") - (b === "") || (ascending ? compare(a, b) : compare(b, a)));
    body.append(...rows.map(([, row]) => row));
  }

  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  // A text that begins like a formula would run in a spreadsheet.
  const harmless = (text) =>
    (/^[=+@\t\r-]/.test(text) && Number.isNaN(number(text)) ? `'${text}` : text);

  function csv(table) {
    const values = (row, of) => [...row.cells].map((cell) => quoted(harmless(of(cell)))).join(",");
    const plain = (cell) =>
      (cell.classList.contains("n") ? raw(cell).replaceAll(",", "") : raw(cell));
    const lines = [values(table.tHead.rows[0], (cell) => cell.textContent)];
    for (const row of table.tBodies[0].rows) lines.push(values(row, plain));
    return `${lines.join("\r\n")}\r\n`;
  }

  function download(table) {
    const link = document.createElement("a");
    // Without a byte order mark, Excel reads UTF-8 as the letters of the machine's code page.
    const text = `\ufeff${csv(table)}`;
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = `${table.dataset.name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function enhance(table) {
    [...table.tHead.rows[0].cells].forEach((header, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sort(table, index, header));
    });
    const save = document.createElement("button");
    save.type = "button";
    save.className = "csv";
    save.textContent = "Download CSV";
    save.setAttribute("aria-label", `Download as CSV: ${table.caption.textContent}`);
    save.addEventListener("click", () => download(table));
    table.parentElement.after(save);
  }
  window.enhanceTable = enhance;

  function tables() {
    for (const table of document.querySelectorAll("table[data-name]")) enhance(table);
  }

  function tips() {
    const tip = document.createElement("div");
    tip.id = "tip";
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    document.body.append(tip);
    document.addEventListener("pointermove", (event) => {
      const mark = event.target.closest?.(".chart [role=graphics-symbol][aria-label]");
      tip.hidden = !mark || mark.getAttribute("aria-roledescription") === "axis";
      if (tip.hidden) return;
      tip.textContent = mark.getAttribute("aria-label");
      const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
      tip.style.left = `${Math.max(8, left)}px`;
      tip.style.top = `${Math.max(8, event.clientY - tip.offsetHeight - 12)}px`;
    });
  }

  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  function dictionary() {
    const input = document.getElementById("search");
    if (!input) return;
    input.parentElement.hidden = false;
    const tables = [...document.querySelectorAll(".entry")].map((entry) => ({
      entry,
      text: entry.querySelector("summary").textContent.toLowerCase(),
      rows: [...entry.querySelectorAll("tbody tr")].map((row) => [
        row, `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase()]),
    }));
    const search = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const has = (text) => words.every((word) => text.includes(word));
      let [found, columns] = [0, 0];
      for (const { entry, text, rows } of tables) {
        const matches = words.length ? rows.filter(([, row]) => has(row)) : [];
        for (const [row] of rows) row.classList.remove("match");
        for (const [row] of matches) row.classList.add("match");
        entry.hidden = words.length > 0 && !has(text) && !matches.length;
        entry.open = words.length > 0 && matches.length > 0 && input.value.length > 2;
        found += !entry.hidden;
        columns += matches.length;
      }
      document.getElementById("found").textContent =
        words.length ? `${counted(found, "table")}, ${counted(columns, "column")}` : "";
    };
    input.addEventListener("input", search);
    const reveal = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const entry = target?.closest(".entry");
      if (entry) { entry.hidden = false; entry.open = true; target.scrollIntoView(); }
    };
    addEventListener("hashchange", reveal);
    reveal();
  }

  document.addEventListener("DOMContentLoaded", () => { themes(); tables(); tips(); dictionary(); });
})();
