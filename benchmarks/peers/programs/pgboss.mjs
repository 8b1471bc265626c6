// pg-boss at work.

import { COUNT, SETTINGS, ADDRESS, load, ran, run } from "./common.mjs";

const PgBoss = load("pg-boss");
const QUEUE = "nothing";
let boss;

async function open() {
  boss = new PgBoss(ADDRESS);
  boss.on("error", console.error);
  await boss.start();
}

// Faster than work(), which waits at least half a second between two fetches.
async function drain() {
  for (;;) {
    const jobs = await boss.fetch(QUEUE, { batchSize: SETTINGS.batchSize });
    if (!jobs.length) return;
    for (const job of jobs) ran(job.data.number);
    await boss.complete(QUEUE, jobs.map((job) => job.id));
  }
}

await run({
  setUp: async () => {
    await open();
    await boss.createQueue(QUEUE);
  },
  open,
  submitMany: (numbers) => boss.insert(numbers.map((number) => ({ name: QUEUE, data: { number } }))),
  submit: (number) => boss.send(QUEUE, { number }),
  work: async () => {
    await open();
    if (COUNT) return drain();
    return boss.work(QUEUE, SETTINGS, async (jobs) => jobs.forEach((job) => ran(job.data.number)));
  },
});
