// An answer and what proves it, as nodes.

import {el} from "./dom.js";
import {places} from "./format.js";
import {sourceLink} from "./source.js";

// The answer as nodes: its text, each claim that a citation supports, and its [n] as buttons that open the source.
export function written(text, citations, choose) {
	const place = places(text);
	const claims = citations.map(({index, start, end}) => ({index, from: place(start), to: place(end)}));
	const known = new Map(citations.map((citation) => [citation.index, citation]));
	const marks = [...text.matchAll(/\[(\d+)\]/g)]
		.filter(([, number]) => known.has(Number(number)))
		.map((found) => ({from: found.index, to: found.index + found[0].length, citation: known.get(Number(found[1]))}));
	const edges = [...new Set([0, text.length, ...[...claims, ...marks].flatMap(({from, to}) => [from, to])])].sort((a, b) => a - b);
	return edges.slice(1).map((to, at) => {
		const from = edges[at];
		const mark = marks.find((one) => one.from <= from && to <= one.to);
		if (mark) {
			if (from !== mark.from) return "";
			const {index, title: of, external_id} = mark.citation;
			return el(
				"button",
				{
					type: "button",
					class: "cite",
					"data-index": index,
					"aria-label": `Source ${index}: ${of || external_id}`,
					onclick: () => choose(mark.citation),
				},
				String(index),
			);
		}
		const inside = claims.filter((one) => one.from <= from && to <= one.to);
		const part = text.slice(from, to);
		return inside.length ? el("span", {class: "claim", "data-claims": inside.map(({index}) => index).join(" ")}, part) : part;
	});
}

export const reference = (citation) => ({...citation, ...citation.span});

// What belongs to a citation is shown together while one looks at any of it.
export function light(place, index) {
	for (const one of place.querySelectorAll("[data-claims], [data-index]")) {
		const indexes = (one.dataset.claims ?? one.dataset.index).split(" ");
		one.classList.toggle("lit", index !== null && indexes.includes(index));
	}
}

export const quoted = (citation) =>
	el(
		"li",
		{class: "result", "data-index": citation.index, value: citation.index},
		el("h3", {}, sourceLink(reference(citation), {class: "open"}, `${citation.index}. ${citation.title || citation.external_id}`)),
		el("p", {class: "dim"}, `${citation.collection} / ${citation.external_id}, bytes ${citation.span.start} to ${citation.span.end}`),
		el("blockquote", {}, citation.quote),
	);

export const read = (result) =>
	el(
		"li",
		{},
		sourceLink({...result, ...result.span}, {}, result.title || result.external_id),
		el("span", {class: "dim"}, ` ${result.collection}, score ${result.score.toFixed(3)}`),
	);
