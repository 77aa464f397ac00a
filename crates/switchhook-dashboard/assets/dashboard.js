// Makes pages that can be read without it nicer: times in the viewer's zone, live parts, copying, keys. Nothing depends on it.
"use strict";

(() => {
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const today = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const other = new Intl.DateTimeFormat(undefined, {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });

  // The server writes UTC; people think in their own time. The exact value stays on hover.
  function localTimes(root) {
    const now = new Date();
    for (const element of root.querySelectorAll("time[datetime]")) {
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const isToday = at.toDateString() === now.toDateString();
      element.textContent = (isToday ? today : other).format(at);
      element.title = `${exact.format(at)}\n${element.dateTime}`;
    }
  }

  // Fields hold the viewer's time while they are seen, and UTC when they are sent.
  function localFields() {
    const pad = (number) => String(number).padStart(2, "0");
    const asUtc = (text) => new Date(/[zZ]|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`);
    for (const field of document.querySelectorAll("input[data-utc]")) {
      const at = field.dataset.utc && asUtc(field.dataset.utc);
      if (at && !Number.isNaN(at.getTime())) {
        field.value = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}` +
          `T${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
      }
      field.form.addEventListener("formdata", (event) => {
        const at = field.value && new Date(field.value);
        event.formData.set(field.name, at && !Number.isNaN(at.getTime()) ? at.toISOString().slice(0, 19) : "");
      });
    }
    for (const hint of document.querySelectorAll("[data-zone]")) hint.textContent = "(your time)";
  }

  function copyButtons(root) {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("[data-copy]")) {
      if (!button.hidden) continue;
      button.hidden = false;
      button.addEventListener("click", async () => {
        const source = document.getElementById(button.dataset.copy);
        await navigator.clipboard.writeText(button.dataset.text ?? source.textContent);
        const label = button.textContent;
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = label; }, 1500);
      });
    }
  }

  // Ticking a state unticks "all", and the other way round.
  function stateBoxes() {
    const boxes = [...document.querySelectorAll('input[name="call_states"]')];
    const all = boxes.find((box) => box.value === "all");
    if (!all) return;
    const others = boxes.filter((box) => box !== all);
    all.addEventListener("change", () => { if (all.checked) others.forEach((box) => { box.checked = false; }); });
    others.forEach((box) => box.addEventListener("change", () => {
      all.checked = !others.some((other) => other.checked);
    }));
  }

  // Choosing a known target chooses its type.
  function targetPicker() {
    const id = document.getElementById("target_id");
    const type = document.getElementById("target_type");
    if (!id || !type) return;
    id.addEventListener("input", () => {
      const known = [...id.list.options].find((option) => option.value === id.value);
      if (known) type.value = known.dataset.type;
    });
  }

  // A filter is tried, a template previewed, while it is being written. Without this there is a button for it.
  function trials() {
    const field = document.querySelector("textarea[data-tries]");
    const place = field && document.getElementById(field.dataset.tries);
    if (!place) return;
    let waiting = 0;
    let asked = 0;
    const trial = async () => {
      const number = ++asked;
      const body = new URLSearchParams(new FormData(field.form));
      body.set("do", field.dataset.tries === "preview" ? "preview" : "try");
      try {
        const answer = await fetch(field.form.action, { method: "POST", body, redirect: "error" });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (number !== asked || !answer.ok) return;
        const fresh = page.getElementById(place.id);
        const error = page.querySelector(".message.bad");
        const shown = fresh?.childElementCount ? [...fresh.childNodes] : error ? [error] : [];
        place.replaceChildren(...shown.map((node) => document.importNode(node, true)));
        localTimes(place);
      } catch {
        // The button is still there.
      }
    };
    field.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(trial, 400);
    });
  }

  // A chart says what was at the place that the pointer or the arrow keys are at: what its title says, in the viewer's time.
  function charts() {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.setAttribute("role", "status");
    tip.hidden = true;
    const main = document.querySelector("main");
    if (!main?.querySelector(".chart")) return;
    main.append(tip);
    let here = null;
    const show = (place) => {
      here?.classList.remove("here");
      here = place;
      tip.hidden = !place;
      if (!place) return;
      const title = place.querySelector("title");
      if (title) {
        place.dataset.says = title.textContent.split("\n").slice(1).join("\n");
        title.remove();
      }
      place.classList.add("here");
      const at = new Date(place.dataset.at);
      const isToday = at.toDateString() === new Date().toDateString();
      tip.textContent = `${(isToday ? today : other).format(at)}\n${place.dataset.says}`;
      const box = place.getBoundingClientRect();
      const left = box.left + box.width / 2 - tip.offsetWidth / 2;
      const most = document.documentElement.clientWidth - tip.offsetWidth - 4;
      tip.style.left = `${Math.max(4, Math.min(left, most))}px`;
      tip.style.top = `${box.top - tip.offsetHeight - 4}px`;
    };
    const places = (chart) => [...chart.querySelectorAll(".place")];
    const isChart = (element) => element?.classList?.contains("chart");
    document.addEventListener("pointermove", (event) => {
      const place = event.target.closest?.(".place") ?? null;
      if (place !== here && (place || !isChart(document.activeElement))) show(place);
    });
    document.addEventListener("focusin", (event) => { if (isChart(event.target)) show(places(event.target).at(-1) ?? null); });
    document.addEventListener("focusout", (event) => { if (isChart(event.target)) show(null); });
    document.addEventListener("keydown", (event) => {
      if (!isChart(event.target)) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const all = places(event.target);
      const next = step && all[all.indexOf(here) + step];
      if (next) {
        event.preventDefault();
        show(next);
      }
    });
  }

  // Live parts are made by the server; when something happened the page is asked again and they are exchanged. One
  // request at a time, at most one in a while, none while nobody looks.
  const EVERY = 1500;
  const ANYWAY = 10000;
  const PAUSED = "switchhook-paused";
  let isAsking = false;
  let isStale = false;
  let askedAt = 0;
  let isPaused = sessionStorage.getItem(PAUSED) !== null;

  function parts() { return document.querySelectorAll("[data-live]"); }

  async function refresh() {
    isAsking = true;
    isStale = false;
    askedAt = Date.now();
    try {
      const address = new URL(location.href);
      address.searchParams.delete("flash");
      const answer = await fetch(address, { headers: { accept: "text/html" }, redirect: "error" });
      if (answer.ok) exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The stream tells when the server is away.
    } finally {
      isAsking = false;
    }
  }

  function exchange(fresh) {
    for (const old of parts()) {
      const next = fresh.getElementById(old.id);
      if (!next) continue;
      if (isHeld(old)) offer(old, next);
      else put(old, next);
    }
  }

  // What somebody reads with the keyboard or the pointer, or has marked, is not taken away from under them. A list also holds still
  // while the pointer is over it, or while it is scrolled so far that what is new would push it away.
  function isHeld(part) {
    if (part.contains(document.activeElement) || part.querySelector(".place:hover, button:hover") || isMarked(part)) return true;
    const list = part.querySelector("[data-list]");
    return list !== null && (part.matches(":hover") || part.getBoundingClientRect().top < 0);
  }

  function put(old, next) {
    const open = new Set([...old.querySelectorAll("details[open][id]")].map((details) => details.id));
    const scrolled = [...old.querySelectorAll(".table")].map((table) => table.scrollLeft);
    const node = document.importNode(next, true);
    for (const details of node.querySelectorAll("details[id]")) details.open = open.has(details.id) || details.open;
    localTimes(node);
    old.replaceChildren(...node.childNodes);
    [...old.querySelectorAll(".table")].forEach((table, place) => { table.scrollLeft = scrolled[place] ?? 0; });
    copyButtons(old);
    offers.get(old)?.remove();
    offers.delete(old);
  }

  // A list that holds still says how much is new, and shows it when asked.
  const offers = new Map();

  function offer(old, next) {
    const keys = (part) => [...part.querySelectorAll("[data-row]")].map((row) => row.dataset.row);
    const known = new Set(keys(old));
    const all = keys(next);
    const count = all.filter((key) => !known.has(key)).length;
    if (count === 0) return;
    let button = offers.get(old);
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      button.className = "button fresh";
      offers.set(old, button);
      old.before(button);
    }
    button.textContent = `${count}${count === all.length ? " or more" : ""} new ↑`;
    button.onclick = () => {
      put(old, next);
      old.scrollIntoView({ block: "nearest" });
      isStale = true;
    };
  }

  function isMarked(element) {
    const selection = getSelection();
    return selection && !selection.isCollapsed && element.contains(selection.anchorNode);
  }

  function tick() {
    const waited = Date.now() - askedAt;
    if (!document.hidden && !isPaused && !isAsking && ((isStale && waited >= EVERY) || waited >= ANYWAY)) refresh();
  }

  // While the page is out of sight it does not listen: a browser keeps few connections to a server, for all its tabs.
  function live() {
    if (parts().length === 0 || !window.EventSource) return;
    const indicator = document.querySelector("[data-live-indicator]");
    const label = indicator.querySelector("[data-live-indicator-label]");
    let stream = null;
    const pause = document.querySelector("[data-pause]");
    const tell = (isLost, words) => {
      indicator.hidden = pause.hidden = false;
      indicator.classList.toggle("lost", isLost);
      indicator.classList.toggle("still", isPaused);
      if (isPaused && !isLost) words = isStale ? "paused; there is more" : "paused";
      if (label.textContent !== words) label.textContent = words;
      pause.textContent = isPaused ? "Resume" : "Pause";
    };
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      if (isPaused) sessionStorage.setItem(PAUSED, "");
      else sessionStorage.removeItem(PAUSED);
      isStale = !isPaused;
      tell(false, "live");
    });
    const listen = () => {
      stream?.close();
      stream = null;
      if (document.hidden) return;
      isStale = !isPaused;
      stream = new EventSource("/dashboard/stream");
      stream.addEventListener("changed", () => { isStale = true; if (isPaused) tell(false, "live"); });
      stream.addEventListener("open", () => { isStale = !isPaused; tell(false, "live"); });
      stream.addEventListener("error", () => {
        const isOver = stream.readyState === EventSource.CLOSED;
        tell(true, isOver ? "not live: load the page again" : "the server is away");
      });
    };
    listen();
    document.addEventListener("visibilitychange", listen);
    addEventListener("pagehide", () => stream?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    askedAt = Date.now();
    setInterval(tick, 300);
  }

  // On a phone the navigation is wider than the screen: the page's own entry should be in sight.
  function showPlace() {
    const nav = document.querySelector(".bar nav");
    const own = nav?.querySelector("[aria-current]");
    if (own) nav.scrollLeft = own.offsetLeft - nav.offsetLeft - (nav.clientWidth - own.offsetWidth) / 2;
  }

  // Keys that lead to pages, after a g.
  const PAGES = {
    o: "/dashboard/", e: "/dashboard/events", d: "/dashboard/deliveries", w: "/dashboard/webhooks", s: "/dashboard/subscriptions",
    l: "/dashboard/dead-letters", r: "/dashboard/replays", n: "/dashboard/notifications",
  };

  // The keys that the dialogue in the frame tells. None counts where somebody writes, or with Ctrl, Alt or Meta.
  function shortcuts() {
    const dialog = document.getElementById("keys");
    const opener = document.querySelector("[data-keys]");
    if (!dialog?.showModal || !opener) return;
    opener.hidden = false;
    opener.addEventListener("click", () => dialog.showModal());
    let wentAt = -Infinity;
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || dialog.open) return;
      if (event.target.closest?.("input, select, textarea, [contenteditable]")) return;
      const isAfterG = event.timeStamp - wentAt < 1500;
      wentAt = -Infinity;
      if (isAfterG && PAGES[event.key]) location.assign(PAGES[event.key]);
      else if (event.key === "g") wentAt = event.timeStamp;
      else if (event.key === "?") dialog.showModal();
      else if (event.key === "/") document.querySelector("main form input:not([type=hidden]), main form select")?.focus();
      else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
      else return;
      event.preventDefault();
    });
  }

  // To the next row of a list, or the one before: its own link gets the focus, so that Enter opens it.
  function step(by) {
    const rows = [...document.querySelectorAll("main [data-row]")].filter((row) => row.checkVisibility());
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
    (next?.querySelector("[data-open]") ?? next?.querySelector("a"))?.focus();
  }

  // A row leads where its own link does. Links and buttons in it stay what they are, and its text can be marked.
  function openRows() {
    document.addEventListener("click", (event) => {
      const { target, ctrlKey, metaKey, shiftKey } = event;
      if (event.defaultPrevented || target.closest("a, button, summary, label, input, select") || !getSelection().isCollapsed) return;
      target.closest("[data-row]")?.querySelector("[data-open]")
        ?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
    });
  }

  // What is open above the page closes like other things do.
  function menu() {
    const more = document.querySelector("details.more");
    if (!more) return;
    const close = () => { more.open = false; };
    document.addEventListener("click", (event) => { if (!more.contains(event.target)) close(); });
    more.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !more.open) return;
      close();
      more.querySelector("summary").focus();
    });
  }

  localTimes(document);
  localFields();
  copyButtons(document);
  stateBoxes();
  targetPicker();
  trials();
  showPlace();
  charts();
  live();
  menu();
  openRows();
  shortcuts();
})();
