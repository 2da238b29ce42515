// Chromium as a person has it, watched: what the page says on its console, what it asks for and where, what its
// policy refused. A case ends well only if none of that is amiss.

import assert from "node:assert/strict";
import {mkdtempSync, readFileSync, rmSync} from "node:fs";
import {createRequire} from "node:module";
import {tmpdir} from "node:os";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {chromium} from "playwright-core";

const local = join(dirname(fileURLToPath(import.meta.url)), "../../../.local/console");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = [
	"--headless",
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	"--disable-default-apps",
	"--no-proxy-server",
];

export const DESKTOP = {width: 1280, height: 900};
export const PHONE = {width: 390, height: 844};
const PATIENCE = 30_000;

// Runs `use(page, watch)` in a fresh profile. `expected`: patterns of console errors that the case brings about itself.
export async function browse(url, use, {expected = [], viewport = DESKTOP, scheme = "light", token} = {}) {
	const profile = mkdtempSync(join(tmpdir(), "console-"));
	const context = await chromium.launchPersistentContext(profile, {
		executablePath: join(local, "chromium"),
		args: FLAGS,
		headless: true,
		viewport,
		colorScheme: scheme,
		reducedMotion: "reduce",
		timeout: 60_000,
		hasTouch: viewport.width < 500,
		permissions: ["clipboard-read", "clipboard-write"],
	});
	context.setDefaultTimeout(PATIENCE);
	const amiss = [],
		asked = [];
	try {
		const page = context.pages()[0] ?? (await context.newPage());
		if (token) {
			await page.addInitScript((kept) => {
				// Once: signing out must stay possible.
				if (!location.protocol.startsWith("http") || window.name) return;
				window.name = "known";
				sessionStorage.setItem("mcp-rag.credential", kept);
			}, token);
		}
		page.on("console", (message) => {
			if (["error", "warning"].includes(message.type()) && !expected.some((one) => one.test(message.text())))
				amiss.push(`console: ${message.text()}`);
		});
		page.on("pageerror", (error) => amiss.push(`error: ${error.message}`));
		page.on("request", (request) => {
			asked.push(request);
			if (!request.url().startsWith(`${url}/`)) amiss.push(`left the origin: ${request.url()}`);
		});
		page.on("dialog", (dialog) => {
			amiss.push(`a dialog opened: ${dialog.message()}`);
			dialog.dismiss();
		});
		await page.addInitScript(() =>
			addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`)),
		);
		await use(page, {asked, amiss, context});
		assert.deepEqual(amiss, []);
	} catch (error) {
		if (amiss.length) console.error(`amiss: ${amiss.join("\n")}`);
		throw error;
	} finally {
		await context.close();
		rmSync(profile, {recursive: true, force: true});
	}
}

// Findings of axe, the serious ones of which fail.
export async function accessible(page, where) {
	await page.evaluate(axe);
	const {violations, passes} = await page.evaluate(() =>
		globalThis.axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}),
	);
	const told = violations.map(
		({id, impact, nodes}) =>
			`${where}: ${impact} ${id}: ${nodes.map(({target, failureSummary}) => `${target.join(" ")} (${failureSummary.split("\n")[1]?.trim()})`).join("; ")}`,
	);
	assert.deepEqual(
		told.filter((_, at) => ["serious", "critical"].includes(violations[at].impact)),
		[],
	);
	// Nothing scrolls sideways.
	const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
	assert.ok(wide <= screen, `${where}: ${wide} pixels wide on a screen of ${screen}`);
	return {told, passes: passes.length};
}

// Waits until an element is there and holds the text.
export async function sees(page, selector, text) {
	const place = page.locator(selector, text === undefined ? {} : {hasText: text}).first();
	await place.waitFor({state: "visible"});
	return place;
}

// Drops files on an element as a mouse does.
export async function drop(page, selector, files) {
	const transfer = await page.evaluateHandle((all) => {
		const data = new DataTransfer();
		for (const {name, text, type} of all) data.items.add(new File([text], name, {type: type ?? ""}));
		return data;
	}, files);
	for (const type of ["dragenter", "dragover", "drop"]) await page.dispatchEvent(selector, type, {dataTransfer: transfer});
}
