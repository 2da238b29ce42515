import {ask} from "../api.js";
import {announce, byId, el} from "../dom.js";
import {marked, milliseconds, places, plural} from "../format.js";
import {badge, button, check, collectionSelect, degraded, empty, field, heading, select, trouble} from "../parts.js";
import {sourceLink} from "../source.js";

export const title = "Search";

const MODES = [
	["hybrid", "Meaning and keywords"],
	["dense", "Meaning"],
	["lexical", "Keywords"],
];
const SWITCHES = [
	["rerank", "Rerank"],
	["group", "One result per document"],
	["collapse", "Fold near duplicates"],
	["rewrite", "Rewrite the query"],
];

function body(query) {
	const on = (name) => query.get(name) === "on";
	const wanted = {query: query.get("q"), mode: query.get("mode") ?? "hybrid", rerank: on("rerank"), collapse: on("collapse"), rewrite: on("rewrite")};
	if (query.get("collection")) wanted.collections = [query.get("collection")];
	if (on("group")) wanted.group_by = "document";
	if (query.get("filters")) wanted.filters = JSON.parse(query.get("filters"));
	return wanted;
}

// The passage with what was found in it marked: a sentence's bytes where the API names them, else the words.
function passage(result, words) {
	if (!result.match) return marked(result.text, words);
	const place = places(result.text);
	const [from, to] = [result.match.start, result.match.end].map((at) => place(at - result.span.start));
	return [result.text.slice(0, from), el("mark", {class: "term"}, result.text.slice(from, to)), result.text.slice(to)];
}

const where = ({location}) =>
	Object.entries(location ?? {})
		.map(([kind, at]) => `${kind} ${at}`)
		.join(", ");

function shown(result, words) {
	const scores = Object.entries(result.scores)
		.filter(([, score]) => score !== null)
		.map(([leg, score]) => `${leg} ${score.toFixed(3)}`);
	const reference = {...result, ...result.span};
	return el(
		"li",
		{class: "result"},
		el("h2", {}, sourceLink(reference, {class: "open"}, result.title || result.external_id)),
		el("p", {class: "dim"}, [`${result.collection} / ${result.external_id}`, where(result), ...result.headings].filter(Boolean).join(" › ")),
		el("p", {class: "passage"}, passage(result, words)),
		el(
			"p",
			{class: "dim small"},
			`score ${result.score.toFixed(3)}`,
			scores.length > 0 && ` (${scores.join(", ")})`,
			result.same_document > 0 && ` · ${result.same_document} more in this document`,
			result.duplicates > 0 && ` · ${result.duplicates} alike`,
		),
	);
}

// Up and down go through the results, from the box and back.
function arrows(event) {
	const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
	const links = [byId("query"), ...document.querySelectorAll(".result .open")];
	const at = links.indexOf(document.activeElement);
	if (!step || at < 0 || !links[at + step]) return;
	event.preventDefault();
	links[at + step].focus();
}

async function run(place, query, signal) {
	const words = query.get("q"),
		list = el("ol", {class: "results bare"}),
		more = el("div", {class: "row"});
	place.replaceChildren(el("p", {class: "dim", role: "status"}, "Searching …"));
	const wanted = body(query);
	const page = async (cursor) => {
		const found = await ask("/v1/search", cursor ? {...wanted, cursor} : wanted, signal);
		list.append(...found.results.map((result) => shown(result, words)));
		const next = async () => {
			more.replaceChildren();
			await page(found.next_cursor).catch((error) => more.replaceChildren(trouble(error)));
		};
		more.replaceChildren(...(found.next_cursor && found.results.length ? [button("More results", next)] : []));
		return found;
	};
	const found = await page(null);
	if (!found.results.length) {
		place.replaceChildren(
			...[degraded(found.degraded)].filter(Boolean),
			empty(
				"Nothing was found",
				"Other words may help, another way of searching, or all collections.",
				el("a", {href: "#/collections"}, "Look at what there is"),
			),
		);
		announce("Nothing was found");
		return;
	}
	const facts = [plural(found.results.length, "result"), milliseconds(found.timings.total_ms)].join(" in ");
	place.replaceChildren(
		...[degraded(found.degraded)].filter(Boolean),
		el(
			"p",
			{class: "dim facts"},
			facts,
			" ",
			found.cached && badge("plain", "from the cache"),
			" ",
			found.complete ? badge("good", "complete") : badge("plain", "approximate"),
		),
		list,
		more,
	);
	announce(`${facts}${found.degraded.length ? ", degraded" : ""}`);
}

export async function show(main, {query, signal}) {
	const words = el("input", {
		id: "query",
		name: "q",
		type: "search",
		value: query.get("q") ?? "",
		required: true,
		autocomplete: "off",
		enterkeyhint: "search",
		"aria-keyshortcuts": "/",
	});
	const collection = el("div");
	const more = ["filters", ...SWITCHES.map(([name]) => name)].some((name) => query.get(name));
	const form = el(
		"form",
		{
			class: "ask",
			role: "search",
			onsubmit: (event) => {
				event.preventDefault();
				const given = new URLSearchParams([...new FormData(form)].filter(([name, value]) => value && !(name === "mode" && value === "hybrid")));
				if (`#/search?${given}` === location.hash) run(place, query, signal).catch(failed);
				else location.hash = `#/search?${given}`;
			},
		},
		el("div", {class: "row grow"}, el("label", {class: "hidden", for: "query"}, "What to look for"), words, el("button", {class: "main"}, "Search")),
		el("div", {class: "row options"}, collection, field("By", select(MODES, query.get("mode") ?? "hybrid", {name: "mode"}))),
		el(
			"details",
			{open: more},
			el("summary", {}, "More options"),
			el(
				"div",
				{class: "row"},
				SWITCHES.map(([name, label]) => check(label, {name, checked: query.get(name) === "on"})),
			),
			field(
				"Filter, as JSON",
				el("textarea", {name: "filters", rows: 2, spellcheck: "false", value: query.get("filters") ?? ""}),
				'For example {"type":"eq","key":"lang","value":"en"}; the reference has them all.',
			),
		),
	);
	const place = el("section", {"aria-label": "Results"});
	const failed = (error) => {
		const told = error instanceof SyntaxError ? new Error(`the filter is not JSON: ${error.message}`) : error;
		if (!signal.aborted) place.replaceChildren(trouble(told, () => run(place, query, signal).catch(failed)));
	};
	main.append(heading("Search"), form, place);
	main.addEventListener("keydown", arrows, {signal});
	if (!query.get("q")) {
		place.append(
			empty(
				"Find passages by meaning and by keyword",
				"Ask as you would ask a person, or type the words you remember. Press / to come back here, and the arrow keys to go through what was found.",
				el("a", {href: "#/upload"}, "Upload documents"),
			),
		);
		if (matchMedia("(pointer: fine)").matches) words.focus();
	}
	const running = query.get("q") ? run(place, query, signal).catch(failed) : null;
	collection.replaceWith(
		await collectionSelect(query.get("collection"), signal, {name: "collection"}).then(
			(control) => field("In", control),
			() => "",
		),
	);
	await running;
}
