"use strict";
// Keeps the page as the daemon sees it: one event stream says that something moved, and the page is fetched again.
// When the stream or the engine stands still the header turns grey and says since when.
const STALE_MS = 6000;
const ENGINE_S = 15;
const header = () => document.querySelector("header.top");
let heard = Date.now();
let engine = 0;
let fetching = false;
let etag = "";

function stale(why) {
  const top = header();
  top.classList.toggle("stale", Boolean(why));
  if (!why) return;
  const headline = top.querySelector(".headline");
  if (!top.dataset.was) top.dataset.was = headline.textContent;
  headline.textContent = `${why} (it was: ${top.dataset.was})`;
}

function look() {
  const seconds = (since) => Math.round((Date.now() - since) / 1000);
  if (Date.now() - heard > STALE_MS) stale(`STALE: no news from the daemon for ${seconds(heard)} s`);
  else if (engine === null) stale("STALE: whether the engine moves is not known");
  else if (engine > ENGINE_S) stale(`STALE: the engine has not moved for ${Math.round(engine)} s`);
}

function typing() {
  const on = document.activeElement;
  return on && ["INPUT", "SELECT", "TEXTAREA"].includes(on.tagName);
}

function keepOpen(before, after) {
  before.querySelectorAll("details").forEach((one, place) => {
    const same = after.querySelectorAll("details")[place];
    if (same) same.open = one.open;
  });
}

function put(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const now = document.activeElement;
  const focused = now && now.tagName === "A" ? now.getAttribute("href") : null;
  header().replaceWith(fresh.querySelector("header.top"));
  const main = document.querySelector("main"), next = fresh.querySelector("main");
  keepOpen(main, next);
  const said = main.querySelector(".said"); // stays until the person goes on; a renewed page does not tell it again
  if (said) next.prepend(said);
  const scroll = window.scrollY;
  main.replaceWith(next);
  window.scrollTo(0, scroll);
  document.title = fresh.title;
  if (focused) {
    const again = [...document.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused);
    if (again) again.focus({ preventScroll: true });
  }
}

async function renew() {
  if (fetching || typing() || document.hidden) return;
  fetching = true;
  try {
    const headers = { "Watchdog-Renewing": "1", ...(etag && { "If-None-Match": etag }) };
    const reply = await fetch(location.href, { headers, cache: "no-store" });
    if (reply.status === 200) {
      etag = reply.headers.get("ETag") || "";
      put(await reply.text());
    }
  } catch (error) {
    // The stream says the same a moment later, in words.
  } finally {
    fetching = false;
  }
}

const stream = new EventSource("/events");
stream.addEventListener("status", (event) => {
  heard = Date.now();
  const news = JSON.parse(event.data);
  engine = news.engine_s;
  const changed = news.mark !== stream.mark || Date.now() - (stream.renewed || 0) > 5000;
  stream.mark = news.mark;
  if (changed) {
    stream.renewed = Date.now();
    renew();
  }
});
setInterval(look, 1000);
