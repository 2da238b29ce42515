// Numbers, times and pieces of text, as people read them.

import {el} from "./dom.js";

const whole = new Intl.NumberFormat("en");
const moment = new Intl.DateTimeFormat("en", {dateStyle: "medium", timeStyle: "short"});
const relative = new Intl.RelativeTimeFormat("en", {numeric: "auto"});

export const count = (number) => whole.format(number);

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function bytes(number) {
	const units = ["B", "KiB", "MiB", "GiB"];
	const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(number || 1) / 10)));
	const value = number / 1024 ** at;
	return `${at > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

export function milliseconds(number) {
	if (number >= 10_000) return `${(number / 1000).toFixed(1)} s`;
	return number >= 100 ? `${Math.round(number)} ms` : `${Number(number.toPrecision(3))} ms`;
}

// "3 minutes ago", with the moment itself on hovering.
export function time(text) {
	if (!text) return "–";
	const date = new Date(text);
	let distance = (date - Date.now()) / 1000,
		shown = moment.format(date);
	for (const [unit, size] of [
		["second", 60],
		["minute", 60],
		["hour", 24],
		["day", 14],
	]) {
		if (Math.abs(distance) < size) {
			shown = relative.format(Math.round(distance), unit);
			break;
		}
		distance /= size;
	}
	return el("time", {datetime: text, title: moment.format(date)}, shown);
}

const encoder = new TextEncoder(),
	decoder = new TextDecoder();

// Spans are in bytes of UTF-8; strings here are not. `at(n)` is the place in `text` of byte `n`.
export function places(text) {
	const encoded = encoder.encode(text);
	return (at) => decoder.decode(encoded.subarray(0, at)).length;
}

// `text` with the words of `query` marked; the empty words of a question are left alone.
const EMPTY = new Set(
	"a an and are as at be by can do does for from how in is it of on or that the this to was what when where which who why will with".split(" "),
);

export function marked(text, query) {
	const words = [...new Set(query.toLowerCase().match(/[\p{L}\p{N}]{2,}/gu) ?? [])].filter((word) => !EMPTY.has(word));
	if (!words.length) return [text];
	const pattern = new RegExp(`(?<![\\p{L}\\p{N}])((?:${words.slice(0, 32).join("|")})[\\p{L}]{0,3})(?![\\p{L}\\p{N}])`, "giu");
	return text.split(pattern).map((part, at) => (at % 2 ? el("mark", {class: "term"}, part) : part));
}
