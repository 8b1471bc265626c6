"""The floor of a claim by the tool that comes with PostgreSQL: a thousand claimed and done in one table, again and again."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from benchmarks.bench import Bench
from benchmarks.figures import Figure, measure, rate
from tests.servers import wheel_programs

BATCH = 1000
LIMIT = 300  # seconds
TABLE = """
create table jobs (id bigint primary key, status smallint not null default 0, trigger text not null, inputs json);
create index on jobs (id) where status = 0;
"""
FILL = "insert into jobs select n, 0, 'nothing', '{{\"number\": 1}}' from generate_series(1, {count}) n"
SCRIPT = f"""
with taken as (
  update jobs set status = 1 where id = any (array(
    select id from jobs where status = 0 order by id limit {BATCH} for update skip locked))
  returning id)
select array_agg(id)::text as ids from taken \\gset
update jobs set status = 2 where id = any (':ids'::bigint[]);
"""


@measure("floor.postgresql.pgbench")
async def pgbench(bench: Bench) -> list[Figure]:
    """One client, two transactions for each thousand, history kept."""
    count = bench.amount(50_000, 10_000)
    with bench.database("postgresql") as url:
        await _filled(url, count)
        return [rate("floor.postgresql.pgbench", BATCH * await asyncio.to_thread(_batches, url, count // BATCH))]


async def _filled(url: str, count: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(TABLE)
    await connection.execute(FILL.format(count=count))
    await connection.execute("vacuum analyze jobs")
    await connection.close()


def _batches(url: str, transactions: int) -> float:
    """How many batches a second."""
    with wheel_programs() as programs, TemporaryDirectory() as folder:
        script = Path(folder, "claim.sql")
        script.write_text(SCRIPT)
        program = shutil.which("pgbench", path=programs) or shutil.which("pgbench")
        if program is None:
            raise FileNotFoundError("there is no pgbench beside PostgreSQL's programs nor on the path")
        options = ["--no-vacuum", "--client=1", f"--transactions={transactions}", f"--file={script}"]
        done = subprocess.run([program, *options, url], capture_output=True, text=True, check=False, timeout=LIMIT)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if not found:
        raise RuntimeError(f"pgbench said {done.stdout + done.stderr!r}")
    return float(found[1])
