//! What a page must be so that everybody can use it, checked in the browser itself: names, headings, contrast, width.

use crate::support::browser::Looks;

/// How pages are looked at.
pub(super) const LOOKS: [Looks; 3] = [
    Looks::DESKTOP,
    Looks {
        is_dark: true,
        ..Looks::DESKTOP
    },
    Looks {
        width: 390,
        height: 844,
        is_dark: false,
        is_phone: true,
    },
];

/// Answers a list of what is wrong with the page. The rules are those of WCAG 2.1 AA that a program can tell.
pub(super) const CHECK: &str = r#"
const wrong = [];
const tell = (what, element) => wrong.push(`${what}: ${(element?.outerHTML ?? "").slice(0, 120)}`);
const seen = (element) => {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  return box.width > 0 && box.height > 0 && style.visibility !== "hidden" && style.clipPath === "none";
};

if (document.documentElement.lang === "") tell("no language");
if (document.title.trim() === "") tell("no title");
if (document.querySelectorAll("main").length !== 1) tell("not one main part");
if (document.querySelectorAll("h1").length !== 1) tell("not one h1");
let level = 0;
for (const heading of document.querySelectorAll("h1,h2,h3,h4")) {
  const next = Number(heading.tagName[1]);
  if (next > level + 1) tell("a heading that skips a level", heading);
  if (heading.textContent.trim() === "") tell("an empty heading", heading);
  level = next;
}
const ids = new Set();
for (const element of document.querySelectorAll("[id]")) {
  if (ids.has(element.id)) tell("an id used twice", element);
  ids.add(element.id);
}
for (const field of document.querySelectorAll("input:not([type=hidden]),select,textarea")) {
  if (field.labels.length === 0 && !field.getAttribute("aria-label")) tell("a field without a label", field);
}
for (const element of document.querySelectorAll("a[href],button")) {
  const name = (element.getAttribute("aria-label") ?? element.textContent).trim();
  if (name === "") tell("a link or button without a name", element);
}
for (const image of document.querySelectorAll("img:not([alt]),svg:not([role=img]):not([aria-hidden])")) tell("a picture without words", image);
for (const table of document.querySelectorAll("table")) {
  if (!table.querySelector("th[scope]")) tell("a table without headings", table);
}
for (const element of document.querySelectorAll("[style]")) tell("a style in the page", element);
for (const reference of document.querySelectorAll("[aria-labelledby],[aria-describedby]")) {
  const names = `${reference.getAttribute("aria-labelledby") ?? ""} ${reference.getAttribute("aria-describedby") ?? ""}`;
  for (const id of names.trim().split(/\s+/)) if (!document.getElementById(id)) tell(`a reference to ${id}, which is not there`, reference);
}
if (document.documentElement.scrollWidth > innerWidth + 1) tell(`wider than the screen: ${document.documentElement.scrollWidth}`);

const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const colour = (text) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => {
  const part = (value) => { const v = value / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const back = colour(getComputedStyle(at).backgroundColor);
    if (back[3] > 250) return back;
  }
  return [255, 255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (walker.currentNode.textContent.trim() === "" || !seen(element) || element.closest("svg,script,option,:disabled")) continue;
  const style = getComputedStyle(element);
  const [one, other] = [light(colour(style.color)), light(behind(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) tell(`contrast ${ratio.toFixed(2)}`, element);
}
return wrong;
"#;
