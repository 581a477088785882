/* What is done in the browser, a function each; the tests say with what. */
"use strict";

const fs = require("node:fs/promises");

/* Clicks links of a page one after another: what each download is called and holds. */
async function download(page, arg) {
    const downloads = [];
    await page.goto(arg.page);
    for (const id of arg.links) {
        const waiting = page.waitForEvent("download");
        await page.click("#" + id);
        const got = await waiting;
        const bytes = await fs.readFile(await got.path());
        downloads.push({ name: got.suggestedFilename(), bytes: bytes.toString("base64") });
    }
    return { downloads, stayed: page.url() };
}

/* What the browser shows after an action that leads somewhere else. */
async function after(page, action) {
    const [response] = await Promise.all([page.waitForNavigation(), action()]);
    return {
        url: page.url(), status: response.status(), title: await page.title(),
        text: await page.evaluate(() => document.body.innerText),
    };
}

/* Clicks a link of a page that shows something. */
async function show(page, arg) {
    await page.goto(arg.page);
    return after(page, () => page.click("#" + arg.link));
}

/* Fills in a page's form with files and sends it. */
async function upload(page, arg) {
    await page.goto(arg.page);
    await page.setInputFiles("#files", arg.files.map((f) => ({
        name: f.name, mimeType: f.type, buffer: Buffer.from(f.bytes, "base64"),
    })));
    return after(page, () => page.click("#send"));
}

/* In the page: one request after another; status, the headers that the script may see, and the
 * body, or the name of the error that it gets. */
async function fetchAll(requests) {
    const got = [];
    for (const r of requests) {
        const options = { method: r.method, headers: r.headers, cache: "no-store", body: r.body };
        if (r.fields) {
            options.body = new FormData();
            for (const [name, value] of r.fields)
                options.body.append(name, value);
            for (const [name, text] of r.files)
                options.body.append("file", new File([text], name, { type: "text/plain" }));
        }
        try {
            const res = await fetch(r.url, options);
            got.push({
                status: res.status, headers: Object.fromEntries(res.headers),
                body: await res.text(),
            });
        } catch (e) {
            got.push({ error: e.name });
        }
    }
    return got;
}

async function request(page, arg) {
    await page.goto(arg.page);
    return page.evaluate(fetchAll, arg.requests);
}

/* In the page. */
function look() {
    return {
        background: getComputedStyle(document.body).backgroundColor,
        links: [...document.querySelectorAll("a")].map((a) => a.innerText),
        images: [...document.images].map((i) => i.naturalWidth),
    };
}

/* Walks through a site, by addresses and by the texts of links: what each page looks like. */
async function walk(page, arg) {
    const seen = [];
    for (const step of arg.steps) {
        const to = () => step.open ? page.goto(step.open) :
            page.getByRole("link", { name: step.click, exact: true }).click();
        const shown = await after(page, to);
        seen.push({ ...shown, ...await page.evaluate(look) });
    }
    return seen;
}

module.exports = { download, show, upload, request, walk };
