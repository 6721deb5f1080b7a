"""Run the warehouse by hand: from the folder tests/, `python -m warehouse`."""

import argparse
import signal
import threading

from .server import Warehouse


def main() -> None:
    """Serve until interrupted; print the lines that profiles.yml needs."""
    parser = argparse.ArgumentParser(prog="python -m warehouse", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, picks a free one")
    parser.add_argument("--catalogs", default="ecommerce_analytics_dev", help="a,b,c")
    parser.add_argument(
        "--principal",
        action="append",
        default=[],
        metavar="NAME:GROUP,GROUP",
        help="a principal and its account groups; its token is token-NAME (repeatable)",
    )
    parser.add_argument("--owner", default="pipeline", help="the principal that owns the catalogs")
    parser.add_argument("--groups", default="", help="more account groups, a,b,c")
    args = parser.parse_args()
    named = [text.partition(":") for text in args.principal]
    principals = {name: [g for g in groups.split(",") if g] for name, _, groups in named}
    try:
        warehouse = Warehouse(
            args.catalogs.split(","),
            principals,
            args.owner,
            [g for g in args.groups.split(",") if g],
            args.port,
        )
    except OSError as error:
        parser.error(f"--port {args.port}: {error.strerror}; choose another, or 0 for a free one")
    with warehouse:
        print(f"host: {warehouse.host}\nhttp_path: {warehouse.http_path}")
        print(f"token: {warehouse.token(args.owner)}")
        print(
            "connection_parameters: {_connection_uri: "
            f'"{warehouse.connection_uri}", enable_telemetry: false}}',
            flush=True,
        )
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        stop.wait()


if __name__ == "__main__":
    main()
