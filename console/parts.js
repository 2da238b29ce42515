// What several views are made of.

import {all, path, sign} from "./api.js";
import {byId, el} from "./dom.js";

export const button = (text, onclick, properties = {}) => el("button", {type: "button", onclick, ...properties}, text);

export const badge = (kind, text) => el("span", {class: `badge ${kind}`}, text);

const KINDS = {
	ready: "good",
	succeeded: "good",
	running: "busy",
	closed: "good",
	ok: "good",
	queued: "busy",
	starting: "busy",
	half_open: "busy",
	failed: "bad",
	down: "bad",
	open: "bad",
	draining: "busy",
	stopped: "bad",
	cancelled: "plain",
};

// A state as the API names it. `running` of an actor is good news, of a document work.
export const state = (name, kind = KINDS[name] ?? "plain") => badge(kind, name.replace("_", " "));

export const notice = (kind, ...children) => el("div", {class: `notice ${kind}`, role: kind === "bad" ? "alert" : "status"}, children);

// What went wrong, kindly; `again` is offered where repeating may help.
export function trouble(error, again) {
	if (error.code === "forbidden") {
		return notice(
			"plain",
			el("strong", {}, "This is not for your credential. "),
			`The server says: ${error.message}. `,
			button("Use another credential", () => {
				sign(null);
				location.reload();
			}),
		);
	}
	return notice("bad", el("strong", {}, "That did not work. "), error.message, again && [" ", button("Try again", again)]);
}

const REASONS = {
	circuit_open: "it failed a moment ago and was not asked",
	failed: "it failed",
	unavailable: "it is away",
	overloaded: "it is overloaded",
	deadline_exceeded: "it took too long",
	not_configured: "it is not configured",
};
const FALLBACKS = {
	keyword: "keywords alone were searched",
	lexical: "words alone were compared",
	fused_order: "the fused order was kept",
	extractive: "sentences were quoted instead",
	replica: "a replica answered and may be behind",
	cache: "an earlier result is shown",
	local: "only this server's cache was used",
	original_query: "the query was not rewritten",
	unweighted: "all words counted alike",
	unrefined: "the results were not refined",
};

// Each stage that was away, why, and what took its place.
export function degraded(stages) {
	if (!stages?.length) return null;
	const one = ({stage, reason, fallback}) =>
		el(
			"li",
			{},
			el("strong", {}, stage),
			`: ${REASONS[reason] ?? reason}; ${FALLBACKS[fallback] ?? fallback}. `,
			el("code", {}, `${reason} → ${fallback}`),
		);
	return notice("warn", el("strong", {}, "Degraded: this is what could be had without"), el("ul", {class: "bare"}, stages.map(one)));
}

// An empty view says what to do next.
export const empty = (title, text, ...actions) =>
	el("div", {class: "empty"}, el("h2", {}, title), el("p", {}, text), actions.length > 0 && el("div", {class: "row"}, actions));

let fields = 0;

// A labelled control, with a hint that belongs to it.
export function field(label, control, hint) {
	control.id ||= `field-${(fields += 1)}`;
	if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
	return el(
		"div",
		{class: "field"},
		el("label", {for: control.id}, label),
		control,
		hint && el("p", {class: "hint", id: `${control.id}-hint`}, hint),
	);
}

export const check = (label, properties) => el("label", {class: "check"}, el("input", {type: "checkbox", ...properties}), ` ${label}`);

export function select(options, chosen, properties) {
	return el(
		"select",
		properties,
		options.map(([value, text]) => el("option", {value, selected: value === chosen}, text)),
	);
}

// Which collection, or all of them.
export async function collectionSelect(chosen, signal, properties = {}) {
	const names = (await all(path("collections"), signal)).map(({name}) => name);
	if (chosen && !names.includes(chosen)) names.push(chosen);
	return select([["", "All collections"], ...names.map((name) => [name, name])], chosen ?? "", properties);
}

// A table whose rows become cards on a phone. `columns`: [{title, cell, kind}]
export function table(caption, columns, items) {
	const head = columns.map(({title, kind}) =>
		el("th", {scope: "col", role: "columnheader", class: kind}, title || el("span", {class: "hidden"}, "Actions")),
	);
	const row = (item) =>
		el(
			"tr",
			{role: "row"},
			columns.map(({title, cell, kind}) => el("td", {role: "cell", class: kind, "data-label": title}, el("div", {}, cell(item)))),
		);
	return el(
		"table",
		{class: "cards", role: "table"},
		el("caption", {class: "hidden"}, caption),
		el("thead", {role: "rowgroup"}, el("tr", {role: "row"}, head)),
		el("tbody", {role: "rowgroup"}, items.map(row)),
	);
}

// A dialog with a form; `done` gets its data and may fail, which the dialog shows. Closed, it gives focus back.
export function dialog(title, children, {action = "Save", danger = false, close = "Cancel", done}) {
	const said = el("div");
	const go = done && el("button", {class: danger ? "danger" : "main"}, action);
	const form = el(
		"form",
		{
			onsubmit: async (event) => {
				event.preventDefault();
				if (!done) return box.close();
				go.disabled = true;
				try {
					await done(new FormData(form));
					box.close();
				} catch (error) {
					said.replaceChildren(trouble(error));
					go.disabled = false;
				}
				return undefined;
			},
		},
		children,
		said,
		el(
			"div",
			{class: "row end"},
			button(close, () => box.close()),
			go,
		),
	);
	const box = el(
		"dialog",
		{
			"aria-labelledby": "dialog-title",
			onclose: () => {
				box.remove();
				// What opened it may be gone: what it changed was drawn anew.
				if (document.activeElement === document.body) byId("main").querySelector("h1")?.focus();
			},
		},
		el("h2", {id: "dialog-title"}, title),
		form,
	);
	byId("main").append(box);
	box.showModal();
	return box;
}

export const confirm = (title, text, action, done) => dialog(title, el("p", {}, text), {action, danger: true, done});

export function copyButton(text) {
	const copy = button("Copy", async () => {
		await navigator.clipboard.writeText(text);
		copy.textContent = "Copied";
	});
	return copy;
}

export const heading = (title, ...beside) => el("div", {class: "heading"}, el("h1", {tabindex: -1}, title), beside);
