/* Runs scenarios in Chromium: a line of JSON on stdin says which and with what, a line of JSON on
 * stdout what came of it. Each has a new browser context, so nothing is remembered. */
"use strict";

const { chromium } = require("playwright-core");
const readline = require("node:readline");
const scenarios = require("./scenarios.js");

const slowness = Number(process.env.NEEDLETAIL_SLOWNESS || 1);

function launch() {
    return chromium.launch({
        executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
        headless: true,
        args: ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"],
    });
}

async function run(browser, { scenario, arg }) {
    const context = await browser.newContext({ acceptDownloads: true });
    context.setDefaultTimeout(30000 * slowness);
    try {
        return { result: await scenarios[scenario](await context.newPage(), arg) };
    } catch (e) {
        return { error: String((e && e.stack) || e) };
    } finally {
        await context.close();
    }
}

async function main() {
    const browser = await launch();
    process.stdout.write(JSON.stringify({ result: browser.version() }) + "\n");
    for await (const line of readline.createInterface({ input: process.stdin }))
        process.stdout.write(JSON.stringify(await run(browser, JSON.parse(line))) + "\n");
    await browser.close();
}

main().catch((e) => {
    process.stdout.write(JSON.stringify({ error: String((e && e.stack) || e) }) + "\n");
    process.exitCode = 1;
});
