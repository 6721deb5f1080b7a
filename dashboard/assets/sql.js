"use strict";
(() => {
  const MOST_ROWS = 1000;
  const base = new URL("sql/", location.href);
  const get = (id) => document.getElementById(id);
  const status = (text) => { get("status").textContent = text; };
  let connecting = null;

  const script = (url) => new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = url;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${url} cannot be loaded`));
    document.head.append(element);
  });

  async function connect() {
    status("Loading DuckDB and the tables, once ...");
    await script(new URL("arrow.js", base));
    const duckdb = await import(new URL("duckdb-browser.mjs", base));
    const worker = new Worker(new URL("duckdb-browser-eh.worker.js", base));
    const database = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), worker);
    await database.instantiate(new URL("duckdb-eh.wasm", base).href);
    const file = await fetch(new URL("gold.duckdb", base));
    if (!file.ok) throw new Error("sql/gold.duckdb cannot be loaded");
    await database.registerFileBuffer("gold.duckdb", new Uint8Array(await file.arrayBuffer()));
    const READ_ONLY = 2;
    await database.open({ path: "gold.duckdb", accessMode: READ_ONLY });
    const connection = await database.connect();
    // Without these a function of an extension would be fetched from another host.
    for (const setting of ["autoinstall_known_extensions", "autoload_known_extensions",
      "enable_external_access"]) await connection.query(`set ${setting} = false`);
    await connection.query("set lock_configuration = true");
    return connection;
  }

  const isNumber = (text) => /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text);

  function show(columns, rows) {
    const table = document.createElement("table");
    table.dataset.name = "query";
    table.createCaption().textContent = "Result of the query";
    table.caption.className = "hidden";
    const numeric = columns.map((_, index) =>
      rows.length > 0 && rows.every((row) => row[index] === null || isNumber(row[index])));
    const head = table.createTHead().insertRow();
    columns.forEach((name, index) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name;
      if (numeric[index]) cell.className = "n";
      head.append(cell);
    });
    const body = table.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      row.forEach((value, index) => {
        const cell = line.insertCell();
        cell.textContent = value ?? "\u2013";
        if (value === null) cell.dataset.raw = "";
        if (numeric[index]) cell.className = "n";
      });
    }
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Result");
    scroll.append(table);
    get("result").replaceChildren(scroll);
    window.enhanceTable(table);
  }

  async function run() {
    get("run").disabled = true;
    try {
      connecting ??= connect();
      const connection = await connecting;
      status("Running ...");
      const start = performance.now();
      const query = get("query").value.trim().replace(/;$/, "");
      // As text: Arrow gives decimals as whole numbers and dates as milliseconds.
      const found = await connection.query(
        `select columns(*)::varchar from (\n${query}\n) limit ${MOST_ROWS + 1}`);
      const columns = found.schema.fields.map((field) => field.name);
      const rows = found.toArray().map((row) => columns.map((name) => row[name]));
      show(columns, rows.slice(0, MOST_ROWS));
      const seconds = ((performance.now() - start) / 1000).toFixed(2);
      status(rows.length > MOST_ROWS
        ? `The first ${MOST_ROWS} rows, ${seconds} seconds`
        : `${rows.length} ${rows.length === 1 ? "row" : "rows"}, ${seconds} seconds`);
    } catch (error) {
      status(error.message);
    } finally {
      get("run").disabled = false;
    }
  }

  function choose() {
    const chosen = document.querySelector(`[data-question="${get("question").value}"]`);
    if (!chosen) return;
    get("note").textContent = chosen.querySelector("p").textContent;
    get("query").value = chosen.querySelector("pre").textContent;
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (location.protocol === "file:") return;
    get("sql-place").hidden = true;
    get("sql-form").hidden = false;
    choose();
    get("question").addEventListener("change", choose);
    get("run").addEventListener("click", run);
    get("query").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
    });
  });
})();
