import assert from "node:assert/strict";
import {browse, sees} from "../browser.mjs";

const lists = async (url, secret) => (await fetch(`${url}/v1/collections`, {headers: {authorization: `Bearer ${secret}`}})).status;

const secretOf = async (page) => {
	const secret = await (await sees(page, "#secret")).inputValue();
	await page.getByRole("button", {name: "I have it"}).click();
	await page.locator("dialog").waitFor({state: "detached"});
	assert.ok(!(await page.locator("body").textContent()).includes(secret), "the secret is seen once");
	return secret;
};

export default ({url, token}) =>
	browse(
		url,
		async (page) => {
			// Nobody is known: the console asks, refuses what is wrong, and lets the token in.
			await page.goto(`${url}/#/keys`);
			const box = page.getByLabel("API key or token");
			await box.fill("wrong");
			await page.keyboard.press("Enter");
			await sees(page, ".notice.bad");
			await box.fill(token);
			await page.keyboard.press("Enter");
			await sees(page, ".empty", "No key yet");
			assert.equal(await page.evaluate(() => localStorage.length), 0, "nothing outlives the tab");

			await page.getByRole("button", {name: "New key"}).first().click();
			await page.getByLabel("Name").fill("reader");
			await page.getByLabel("Only these collections").fill("notes");
			await page.getByRole("button", {name: "Create"}).click();
			await sees(page, "dialog", "shown this once");
			await page.getByRole("button", {name: "Copy"}).click();
			await sees(page, "dialog button", "Copied");
			assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^mrag_/);
			const secret = await secretOf(page);
			await sees(page, "tr:has-text('reader') .badge", "valid");
			assert.equal(await lists(url, secret), 200);

			await page.getByRole("button", {name: "Replace reader"}).click();
			await page.getByLabel("The old one").selectOption("0");
			await page.locator("dialog").getByRole("button", {name: "Replace"}).click();
			const fresh = await secretOf(page);
			assert.equal(await lists(url, fresh), 200);
			assert.equal(await lists(url, secret), 401);
			await page.getByRole("button", {name: "Revoke reader"}).first().click();
			await page.locator("dialog").getByRole("button", {name: "Revoke"}).click();
			await sees(page, ".badge", "revoked");
			assert.equal(await lists(url, fresh), 401);

			// Signing out forgets.
			await page.getByRole("button", {name: "Sign out"}).click();
			await sees(page, "h1", "Who are you?");
			assert.equal(await page.evaluate(() => sessionStorage.length), 0);
		},
		{expected: [/status of 401/]},
	);
