// The frame: which view the address names, who looks, light or dark, keys that work everywhere.

import {Failure, get, news, path, sign, signedIn} from "./api.js";
import {announce, byId, el} from "./dom.js";
import {button, field, trouble} from "./parts.js";
import * as source from "./source.js";
import * as ask from "./views/ask.js";
import * as charts from "./views/charts.js";
import * as collections from "./views/collections.js";
import * as documents from "./views/documents.js";
import * as keys from "./views/keys.js";
import * as search from "./views/search.js";
import * as system from "./views/system.js";
import * as upload from "./views/upload.js";

const VIEWS = {search, ask, collections, upload, keys, system, charts};

const view = (name, names) => (name === "source" ? source : name === "collections" && names.length ? documents : VIEWS[name]);

let leaving = new AbortController(),
	current = null;

// "#/collections/notes?status=failed" is the view `collections`, of the names ["notes"], with its query.
function address() {
	const [where, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
	let names = [];
	try {
		names = where.split("/").filter(Boolean).map(decodeURIComponent);
	} catch {
		// What was not written by us names nothing.
	}
	const [name = "search", ...rest] = names;
	return {name: name in VIEWS || name === "source" ? name : "search", names: rest, query: new URLSearchParams(query ?? "")};
}

async function navigate() {
	const {name, names, query} = address();
	const chosen = view(name, names);
	const same = chosen === current,
		focused = same && document.activeElement?.id;
	leaving.abort();
	leaving = new AbortController();
	const {signal} = leaving;
	if (!same) source.close();
	const main = byId("main");
	main.replaceChildren();
	document.title = `${names[0] ?? chosen.title} · mcp-rag`;
	for (const one of document.querySelectorAll("#views a")) {
		if (one.hash === `#/${name}`) one.setAttribute("aria-current", "page");
		else one.removeAttribute("aria-current");
	}
	const began = current !== null;
	current = chosen;
	try {
		const shown = chosen.show(main, {names, query, signal});
		if (focused) byId(focused)?.focus();
		else if (began && !same) main.querySelector("h1")?.focus();
		await shown;
	} catch (error) {
		if (!signal.aborted) main.append(trouble(error, navigate));
	}
}

// Asks for a credential, and takes it once the server knows it.
function signIn() {
	if (byId("credential")) return;
	leaving.abort();
	source.close();
	current = null;
	const input = el("input", {id: "credential", type: "password", autocomplete: "off", spellcheck: "false", required: true});
	const said = el("div");
	const form = el(
		"form",
		{
			class: "narrow",
			onsubmit: async (event) => {
				event.preventDefault();
				sign(input.value.trim());
				try {
					await get(`${path("collections")}?limit=1`);
					begin();
				} catch (error) {
					// Known, and not allowed to list collections: it may still be good for something.
					if (error.code === "forbidden") return begin();
					sign(null);
					said.replaceChildren(trouble(error));
					input.focus();
				}
				return undefined;
			},
		},
		el("h1", {tabindex: -1}, "Who are you?"),
		el("p", {}, "This server lets in whoever has an API key or its token."),
		field("API key or token", input, "Kept by this tab until it is closed, and sent to this server alone."),
		said,
		el("button", {class: "main"}, "Sign in"),
	);
	byId("main").replaceChildren(form);
	document.title = "Sign in · mcp-rag";
	input.focus();
}

function begin() {
	byId("leave").hidden = !signedIn();
	return navigate();
}

function showAway({detail}) {
	const place = byId("connection");
	if (!detail) return place.replaceChildren();
	const seconds = Math.max(1, Math.round(detail.wait / 1000));
	return place.replaceChildren(
		el(
			"div",
			{class: "notice warn"},
			el("strong", {}, "The server does not answer as it should: "),
			`${detail.message}. Trying again in ${seconds} s. `,
			button("Try now", detail.again),
		),
	);
}

const THEMES = {auto: ["light", "Theme: system"], light: ["dark", "Theme: light"], dark: ["auto", "Theme: dark"]};

function paint(theme) {
	if (theme === "auto") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = theme;
	const [next, text] = THEMES[theme];
	byId("theme").textContent = text;
	byId("theme").onclick = () => {
		localStorage.setItem("mcp-rag.theme", next);
		paint(next);
		announce(THEMES[next][1]);
	};
}

function pressed(event) {
	if (event.key === "Escape" && !document.querySelector("dialog[open]") && source.close()) event.preventDefault();
	const typing = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
	if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
	event.preventDefault();
	const box = byId("query") ?? byId("question");
	if (box) box.focus();
	else location.hash = "#/search";
}

// What a view that was left had waited for is no error; what failed behind a button is told.
function unhandled(event) {
	if (event.reason?.name === "AbortError") event.preventDefault();
	else if (event.reason instanceof Failure) {
		event.preventDefault();
		byId("main").prepend(trouble(event.reason));
	}
}

paint(localStorage.getItem("mcp-rag.theme") in THEMES ? localStorage.getItem("mcp-rag.theme") : "auto");
byId("views").append(...Object.entries(VIEWS).map(([name, {title}]) => el("li", {}, el("a", {href: `#/${name}`}, title))));
byId("leave").addEventListener("click", () => {
	sign(null);
	location.reload();
});
document.querySelector(".skip").addEventListener("click", (event) => {
	event.preventDefault();
	byId("main").focus();
});
news.addEventListener("refused", signIn);
news.addEventListener("away", showAway);
addEventListener("hashchange", navigate);
addEventListener("keydown", pressed);
addEventListener("unhandledrejection", unhandled);
begin();
