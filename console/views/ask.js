import {light, quoted, read, reference, written} from "../answer.js";
import {failure, request} from "../api.js";
import {announce, el} from "../dom.js";
import {milliseconds, plural} from "../format.js";
import {badge, button, check, collectionSelect, degraded, empty, field, heading, notice, trouble} from "../parts.js";
import {open} from "../source.js";
import {events} from "../stream.js";

export const title = "Ask";

async function run(place, query, signal) {
	const began = performance.now();
	const stopping = new AbortController();
	signal.addEventListener("abort", () => stopping.abort());
	const status = el("p", {class: "dim facts", role: "status"}, "Looking for passages …");
	const stop = button("Stop", () => stopping.abort(), {class: "quiet"});
	const answer = el("div", {class: "answer", "aria-busy": "true", "aria-label": "Answer", role: "region", tabindex: -1});
	const missing = el("div"),
		sources = el("ol", {class: "bare"}),
		passages = el("div");
	const proof = el("section", {hidden: true, "aria-labelledby": "proof"}, el("h2", {id: "proof"}, "Sources"), sources);
	place.replaceChildren(el("div", {class: "row"}, status, stop), missing, answer, proof, passages);
	let text = "",
		citations = [],
		drawn = false;
	const choose = (citation) => open(reference(citation));
	const draw = () => {
		drawn = false;
		answer.replaceChildren(...written(text, citations, choose));
		sources.replaceChildren(...citations.map(quoted));
		proof.hidden = !citations.length;
	};
	// As often as the screen is drawn, however fast the events come; a page that is not seen draws nothing.
	const soon = () => {
		if (!drawn) {
			drawn = true;
			requestAnimationFrame(draw);
		}
	};
	for (const [name, index] of [
		["pointerover", true],
		["focusin", true],
		["pointerout", false],
		["focusout", false],
	]) {
		place.addEventListener(name, (event) =>
			light(
				place,
				index ? (event.target.closest("[data-claims], [data-index]")?.dataset.index ?? event.target.dataset.claims?.split(" ")[0] ?? null) : null,
			),
		);
	}
	const on = (name) => query.get(name) === "on";
	const body = {question: query.get("q"), stream: true, rerank: on("rerank"), rewrite: on("rewrite")};
	if (query.get("collection")) body.collections = [query.get("collection")];
	try {
		const response = await request("POST", "/v1/answers", {body, signal: stopping.signal, patient: true});
		let done = null;
		for await (const {event, data} of events(response)) {
			if (event === "search") {
				status.textContent = `Reading ${plural(data.results.length, "passage")} …`;
				missing.replaceChildren(...[degraded(data.degraded)].filter(Boolean));
				passages.replaceChildren(
					el(
						"details",
						{},
						el(
							"summary",
							{},
							`What was read: ${plural(data.results.length, "passage")}${data.cached ? ", from the cache" : ""}${data.complete ? "" : ", approximate"}`,
						),
						el("ol", {}, data.results.map(read)),
					),
				);
			} else if (event === "delta") text += data.text;
			else if (event === "citation") citations.push(data);
			else if (event === "done") done = data;
			else if (event === "error") throw await failure(new Response(JSON.stringify(data), {status: 503}));
			soon();
		}
		if (!done) throw new Error("the connection ended before the answer did");
		({answer: text, citations} = done);
		draw();
		missing.replaceChildren(
			...[
				degraded(done.degraded),
				done.abstained && notice("plain", "The documents do not answer this. Another question may help, or more documents."),
			].filter(Boolean),
		);
		const removed = done.removed_citations > 0 && badge("warn", `${plural(done.removed_citations, "invented citation")} removed`);
		status.replaceChildren(
			`${plural(citations.length, "verified citation")} in ${milliseconds(performance.now() - began)}, by ${done.model} `,
			...[removed].filter(Boolean),
		);
		announce(`${text} ${plural(citations.length, "citation")}`);
	} catch (error) {
		if (signal.aborted) return;
		draw();
		if (stopping.signal.aborted) status.textContent = "Stopped. What is here may be incomplete.";
		else missing.replaceChildren(trouble(error, () => run(place, query, signal)));
	} finally {
		stop.remove();
		answer.setAttribute("aria-busy", "false");
	}
}

export async function show(main, {query, signal}) {
	const question = el("textarea", {
		id: "question",
		name: "q",
		rows: 2,
		required: true,
		value: query.get("q") ?? "",
		enterkeyhint: "send",
		"aria-keyshortcuts": "/",
		onkeydown: (event) => {
			if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
			event.preventDefault();
			form.requestSubmit();
		},
	});
	const collection = el("div"),
		place = el("section", {"aria-label": "What the documents say"});
	const form = el(
		"form",
		{
			class: "ask",
			onsubmit: (event) => {
				event.preventDefault();
				const given = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
				if (`#/ask?${given}` === location.hash) run(place, query, signal);
				else location.hash = `#/ask?${given}`;
			},
		},
		el("div", {class: "row grow"}, el("label", {class: "hidden", for: "question"}, "Your question"), question, el("button", {class: "main"}, "Ask")),
		el(
			"div",
			{class: "row options"},
			collection,
			check("Rerank", {name: "rerank", checked: query.get("rerank") === "on"}),
			check("Rewrite the question", {name: "rewrite", checked: query.get("rewrite") === "on"}),
		),
	);
	main.append(heading("Ask"), form, place);
	if (!query.get("q")) {
		place.append(
			empty(
				"An answer from your documents, with the proof",
				"Every claim comes with a citation that was verified against its source. Click one to read it where it stands. Enter asks, Shift and Enter begin a new line.",
			),
		);
		if (matchMedia("(pointer: fine)").matches) question.focus();
	}
	const running = query.get("q") ? run(place, query, signal) : null;
	collection.replaceWith(
		await collectionSelect(query.get("collection"), signal, {name: "collection"}).then(
			(control) => field("In", control),
			() => "",
		),
	);
	await running;
}
