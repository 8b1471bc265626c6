// Graphile Worker at work.

import { SETTINGS, ADDRESS, load, ran, run } from "./common.mjs";

const { Logger, makeWorkerUtils, run: work, runMigrations } = load("graphile-worker");
const logger = new Logger(() => () => {}); // a line for each job would be measured too
const { localQueue, ...settings } = SETTINGS;
const preset = { worker: { connectionString: ADDRESS, logger, localQueue: { size: localQueue }, ...settings } };
let utils;

await run({
  setUp: () => runMigrations({ preset }),
  open: async () => {
    utils = await makeWorkerUtils({ preset });
  },
  submitMany: (numbers) => utils.addJobs(numbers.map((number) => ({ identifier: "nothing", payload: { number } }))),
  submit: (number) => utils.addJob("nothing", { number }),
  work: () => work({ preset, noHandleSignals: true, taskList: { nothing: async ({ number }) => ran(number) } }),
});
