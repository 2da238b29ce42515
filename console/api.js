// The HTTP API, called as any client calls it: with the credential of whoever looks, kept by this tab alone.

import {pause} from "./dom.js";

const KEPT = "mcp-rag.credential";
const MOST = 15_000;

let credential = sessionStorage.getItem(KEPT);

// Tells `refused` (a credential is needed, or another one) and `away` (detail: null, or {message, wait, again}).
export const news = new EventTarget();

export const signedIn = () => credential !== null;

export function sign(text) {
	credential = text;
	if (text === null) sessionStorage.removeItem(KEPT);
	else sessionStorage.setItem(KEPT, text);
}

export class Failure extends Error {
	constructor(status, {message, code, param} = {}, wait = null) {
		super(message ?? `the server answered ${status}`);
		Object.assign(this, {status, code, param, wait});
	}
	// Nothing is wrong with the request, and somebody may well wait that long: it may be sent again.
	get passes() {
		const away = [0, 429, 503].includes(this.status) && this.code !== "degraded";
		return away && !(this.wait > 60_000);
	}
}

export const authorization = () => (credential === null ? {} : {authorization: `Bearer ${credential}`});

// A path of names that may hold anything.
export const path = (...names) => "/v1/" + names.map(encodeURIComponent).join("/");

export async function failure(response) {
	const body = await response.json().catch(() => ({}));
	const seconds = Number(response.headers.get("retry-after"));
	if (response.status === 401) news.dispatchEvent(new Event("refused"));
	return new Failure(response.status, body.error, seconds > 0 ? seconds * 1000 : null);
}

async function once(method, url, {body, headers, signal}) {
	const init = {method, signal, headers: {...authorization(), ...headers}};
	if (body !== undefined) {
		init.headers["content-type"] = "application/json";
		init.body = JSON.stringify(body);
	}
	let response;
	try {
		response = await fetch(url, init);
	} catch (error) {
		if (signal?.aborted) throw error;
		throw new Failure(0, {message: "the server cannot be reached", code: "unreachable"});
	}
	if (!response.ok) throw await failure(response);
	return response;
}

// The response. With `patient`, for what may be repeated, a server that is away is asked again until `signal` says
// that nobody waits any more, less and less often.
export async function request(method, url, options = {}) {
	for (let attempt = 0; ; attempt += 1) {
		try {
			const response = await once(method, url, options);
			news.dispatchEvent(new CustomEvent("away", {detail: null}));
			return response;
		} catch (error) {
			if (!(options.patient && error instanceof Failure && error.passes)) throw error;
			const wait = error.wait ?? Math.min(MOST, 500 * 2 ** attempt) * (0.75 + Math.random() / 2);
			const sooner = new AbortController();
			const detail = {message: error.message, wait, again: () => sooner.abort()};
			news.dispatchEvent(new CustomEvent("away", {detail}));
			options.signal?.addEventListener("abort", detail.again, {once: true});
			await pause(wait, sooner.signal);
			if (options.signal?.aborted) {
				news.dispatchEvent(new CustomEvent("away", {detail: null}));
				throw error;
			}
		}
	}
}

const json = async (response) => (response.status === 204 ? null : response.json());

export const get = async (url, signal) => json(await request("GET", url, {signal, patient: true}));

// What only reads although it is a POST.
export const ask = async (url, body, signal) => json(await request("POST", url, {body, signal, patient: true}));

export const write = async (method, url, body) => json(await request(method, url, {body}));

// Every item of a list, up to `most`.
export async function all(url, signal, most = 500) {
	const items = [];
	for (let after = null; ;) {
		const page = await get(`${url}${url.includes("?") ? "&" : "?"}limit=100${after ? `&after=${after}` : ""}`, signal);
		items.push(...page.data);
		if (!page.has_more || items.length >= most) return items;
		after = page.last_id;
	}
}
