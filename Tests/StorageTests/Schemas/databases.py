"""Makes and compares databases from outside, as an operator's tool would."""
import hashlib
import os
import re
import signal
import sqlite3
import struct
import sys
import textwrap

RESERVED = 8


def rows(database, table, columns):
    return set(database.execute(f"SELECT {', '.join(columns)} FROM {table}"))


def load(path, script):
    with open(script, encoding="utf-8") as file:
        sqlite3.connect(path).executescript(file.read())


def compare(old_path, new_path):
    """Every row of the old database is in the new one, unchanged; tables of the program itself may have gained rows."""
    old, new = sqlite3.connect(old_path), sqlite3.connect(new_path)
    assert not new.execute("PRAGMA foreign_key_check").fetchall()
    assert new.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    for (table,) in old.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        columns = [row[1] for row in old.execute(f"PRAGMA table_info({table})")]
        if table == "secrets":
            columns = ["uid"]  # what is sealed is another's business
        before, after = rows(old, table, columns), rows(new, table, columns)
        assert before, f"{table} has no row"
        assert before <= after, f"{table} has lost {before - after}"
        assert before == after or table in ("migrations", "event_schemas", "kinds"), f"{table} has gained {after - before}"


def version(path, number):
    assert sqlite3.connect(path).execute("SELECT max(number) FROM migrations").fetchone() == (int(number),)


def checksums(path, released, mode):
    """The steps of a database are those that were released, a line each; with `add`, new ones get their line."""
    steps = dict(sqlite3.connect(path).execute("SELECT number, checksum FROM migrations"))
    lines = {}
    if os.path.exists(released):
        with open(released, encoding="utf-8") as file:
            lines = {int(number): checksum for checksum, number in (line.split() for line in file)}
    if mode == "add":
        lines = {**steps, **lines}
        with open(released, "w", encoding="utf-8") as file:
            file.writelines(f"{lines[number]}  {number}\n" for number in sorted(lines))
    for number in sorted({*steps, *lines}):
        assert steps.get(number) == lines.get(number), f"step {number}: {steps.get(number)}, released: {lines.get(number)}"


def searches(path, sql):
    """The rows of a query are found by an index, in the order that is asked for."""
    found = sqlite3.connect(path).execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
    assert found and all(row[-1].startswith("SEARCH ") for row in found), found


def advance(old, new):
    """Writes what the program's next step makes of a script of a database: `advance version-5.sql version-6.sql`.

    Of the step, the SQL only: tables that it makes are given their rows by hand.
    """
    database = sqlite3.connect(":memory:")
    with open(old, encoding="utf-8") as file:
        database.executescript(file.read())
    number, at = database.execute("SELECT max(number) + 1, max(applied_ms) FROM migrations").fetchone()
    with open(f"{os.path.dirname(__file__)}/../../../Sources/Storage/Migrations.swift", encoding="utf-8") as file:
        steps = file.read()
    name, sql = re.search(rf'\(\n +{number}, "([^"]+)",\n.*?"""\n(.*?)\n *"""', steps, re.DOTALL).groups()
    sql = textwrap.dedent(sql)
    database.executescript(f"PRAGMA foreign_keys=OFF; {sql}")
    database.execute(
        "INSERT INTO migrations VALUES (?, ?, ?, ?)", (number, name, hashlib.sha256(sql.encode()).hexdigest(), at))
    database.commit()
    with open(new, "w", encoding="utf-8") as file:
        file.write("\n".join(["PRAGMA foreign_keys=OFF;", *database.iterdump(), ""]))


def tear(path):
    """Dies within a transaction that has reached the file: what it wrote has to be rolled back from its journal."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=DELETE")
    database.execute("PRAGMA cache_size=1")
    database.execute("BEGIN")
    for number in range(5000):
        database.execute("INSERT INTO tombstones VALUES (?)", (f"{number:032x}",))
    assert os.path.getsize(f"{path}-journal") > 0
    os.kill(os.getpid(), signal.SIGKILL)


def pages(path):
    """The pages of a file that ends each of them with a checksum, with their numbers; none of any other file."""
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[16:18], "big")
    if data[20] == RESERVED:
        for number in range(len(data) // size):
            yield number, data[number * size:(number + 1) * size]


def checksum(number, page):
    value = 0x9E3779B97F4A7C15 ^ (number + 1)
    for (word,) in struct.iter_unpack("<Q", page[:-RESERVED]):
        value = (value ^ word) * 0xFF51AFD7ED558CCD & 0xFFFFFFFFFFFFFFFF
        value ^= value >> 32
    return struct.pack("<Q", value)


def seal(path):
    """Brings the checksums up to what another program has written."""
    with open(path, "r+b") as file:
        for number, page in pages(path):
            file.seek((number + 1) * len(page) - RESERVED)
            file.write(checksum(number, page))


def sealed(path):
    """Every page has its checksum, or was never written."""
    found = list(pages(path))
    assert found
    for number, page in found:
        assert page[-RESERVED:] == checksum(number, page) or not any(page), f"page {number + 1}"


COMMANDS = [advance, checksums, compare, load, seal, sealed, searches, tear, version]
{command.__name__: command for command in COMMANDS}[sys.argv[1]](*sys.argv[2:])
