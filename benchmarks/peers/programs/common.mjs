// What the programs of all Node peers share: their steps, the journal of what ran, and ending with the benchmark.

import { openSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

export const ADDRESS = process.env.PEER_URL;
export const SETTINGS = JSON.parse(process.env.PEER_SETTINGS);
export const COUNT = Number(process.argv[3]);
export const load = createRequire(`${process.env.PEER_HOME}/`);

const BATCH = 1000;
const now = () => process.hrtime.bigint(); // the clock that all processes of a machine share
let journal;
let done = 0;

// A job began: tell of each, or of the first and the last where a number is expected.
export function ran(number) {
  const moment = now();
  if (!COUNT) return tell(number, moment);
  done += 1;
  if (done === 1) tell("first", moment);
  if (done === COUNT) tell("last", now());
}

const tell = (label, moment) => writeSync(journal, `${label} ${moment}\n`);

const steps = {
  "set-up": (program) => program.setUp(),
  fill: async (program) => {
    await program.open();
    const started = now();
    for (let first = 0; first < COUNT; first += BATCH) {
      await program.submitMany(Array.from({ length: Math.min(BATCH, COUNT - first) }, (_, place) => first + place));
    }
    return seconds(started);
  },
  "one-by-one": async (program) => {
    await program.open();
    await program.submit(0); // opens connections
    const started = now();
    for (let number = 0; number < COUNT; number += 1) await program.submit(number);
    return seconds(started);
  },
  samples: async (program) => {
    await program.open();
    const moments = [];
    for (let number = -1; number < COUNT; number += 1) {
      await sleep(20 + 20 * Math.random()); // everything falls idle, and nobody is in step
      const called = now();
      await program.submit(number);
      moments.push([number, Number(called), Number(now())]);
    }
    return moments.slice(1); // the first opened connections
  },
};

const seconds = (started) => Number(now() - started) / 1e9;

// Do the step that the command line names, and print what it measured.
export async function run(program) {
  const step = process.argv[2];
  process.stdin.on("end", () => process.kill(process.pid, "SIGKILL")).resume(); // ends with the benchmark
  if (step === "work") {
    journal = openSync(process.env.PEER_JOURNAL, "a");
    await program.work();
    return;
  }
  const measured = await steps[step](program);
  process.stdout.write(`${JSON.stringify(measured ?? null)}\n`, () => process.exit(0));
}
