// A document's text, opened at a span of its bytes: beside an answer, or as a page of its own.

import {path, request} from "./api.js";
import {byId, el} from "./dom.js";
import {bytes} from "./format.js";
import {button, notice, trouble} from "./parts.js";

// Of a long text so many bytes on either side at first, and more on request.
const AROUND = 20_000;
const decoder = new TextDecoder();

export const link = ({collection, external_id, start, end}) =>
	`#/source/${encodeURIComponent(collection)}/${encodeURIComponent(external_id)}${end > start ? `?start=${start}&end=${end}` : ""}`;

let kept = {};

// The text last shown is kept: the next citation is often of the same document.
async function content(collection, external_id, signal) {
	const key = JSON.stringify([collection, external_id]);
	if (kept.key !== key || Date.now() - kept.at > 30_000) {
		const response = await request("GET", path("collections", collection, "documents", external_id, "content"), {signal, patient: true});
		kept = {key, at: Date.now(), text: new Uint8Array(await response.arrayBuffer())};
	}
	return kept.text;
}

// The nearest place that is not inside a character.
function edge(text, at) {
	let place = Math.min(Math.max(0, at), text.length);
	while (place < text.length && (text[place] & 0xc0) === 0x80) place += 1;
	return place;
}

function excerpt(text, {start, end, quote}) {
	const cited = Number.isInteger(start) && end > start && end <= text.length;
	const mark = el("mark", {id: "cited", tabindex: -1}, cited ? decoder.decode(text.subarray(start, end)) : "");
	const moved = quote !== undefined && mark.textContent !== quote;
	let from = edge(text, cited ? start - AROUND : 0),
		to = edge(text, cited ? end + AROUND : 2 * AROUND);
	const middle = cited && !moved;
	const before = el("span", {}, decoder.decode(text.subarray(from, middle ? start : from)));
	const after = el("span", {}, decoder.decode(text.subarray(middle ? end : from, to)));
	const earlier = button(
		"Show what comes before",
		() => {
			const first = edge(text, from - AROUND);
			before.prepend(decoder.decode(text.subarray(first, from)));
			from = first;
			earlier.hidden = from === 0;
		},
		{hidden: from === 0},
	);
	const later = button(
		"Show more",
		() => {
			const last = edge(text, to + AROUND);
			after.append(decoder.decode(text.subarray(to, last)));
			to = last;
			later.hidden = to === text.length;
		},
		{hidden: to === text.length},
	);
	return [
		moved && notice("warn", "The document has changed since: the passage is no longer at its place."),
		earlier,
		el("pre", {class: "text", tabindex: 0, "aria-label": "Text of the document"}, before, middle && mark, after),
		later,
	];
}

// Fills `place` with the text, scrolled to what is cited.
export async function fillWith(place, reference, signal) {
	place.replaceChildren(el("p", {class: "dim"}, "Opening …"));
	try {
		const text = await content(reference.collection, reference.external_id, signal);
		const size = bytes(text.length);
		const where = reference.end > reference.start ? `bytes ${reference.start} to ${reference.end} of ${size}` : size;
		place.replaceChildren(
			el("p", {class: "dim"}, `${reference.collection} / ${reference.external_id}, ${where}`),
			...excerpt(text, reference).filter(Boolean),
		);
		const cited = byId("cited");
		cited?.scrollIntoView({block: "center"});
		return cited;
	} catch (error) {
		if (!signal?.aborted) place.replaceChildren(trouble(error, () => fillWith(place, reference, signal)));
		return null;
	}
}

let opener = null,
	looking = null;

export function close() {
	const panel = byId("source");
	if (panel.hidden) return false;
	looking?.abort();
	panel.hidden = true;
	panel.replaceChildren();
	document.body.classList.remove("beside");
	opener?.focus();
	return true;
}

// Opens the panel. Focus goes there, and back to what opened it.
export async function open(reference) {
	const panel = byId("source");
	if (panel.hidden || !panel.contains(document.activeElement)) opener = document.activeElement;
	looking?.abort();
	looking = new AbortController();
	const body = el("div", {class: "body"});
	const title = el("h2", {id: "source-title", tabindex: -1}, reference.title || reference.external_id);
	panel.replaceChildren(
		el(
			"div",
			{class: "heading"},
			title,
			el(
				"div",
				{class: "row"},
				el("a", {class: "quiet", href: link(reference)}, "As a page"),
				button("Close", close, {class: "quiet", "aria-keyshortcuts": "Escape"}),
			),
		),
		body,
	);
	panel.hidden = false;
	document.body.classList.add("beside");
	title.focus();
	await fillWith(body, reference, looking.signal);
}

// A link to a source that opens beside, and as a page of its own in another tab.
export function sourceLink(reference, properties, ...children) {
	return el(
		"a",
		{
			href: link(reference),
			...properties,
			onclick: (event) => {
				if (event.metaKey || event.ctrlKey || event.shiftKey) return;
				event.preventDefault();
				open(reference);
			},
		},
		children,
	);
}

export const title = "Source";

export function show(main, {names: [collection, external_id], query, signal}) {
	const body = el("div", {class: "body"});
	const back = `#/collections/${encodeURIComponent(collection ?? "")}`;
	main.append(
		el("div", {class: "heading"}, el("h1", {tabindex: -1}, external_id ?? "No document"), el("a", {href: back}, `All of ${collection}`)),
		body,
	);
	const [start, end] = [query.get("start"), query.get("end")].map((text) => (text === null ? NaN : Number(text)));
	return fillWith(body, {collection, external_id, start, end}, signal);
}
