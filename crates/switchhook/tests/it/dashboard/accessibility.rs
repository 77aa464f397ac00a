//! Accessibility of pages, checked in the browser itself: names, headings, landmarks, contrast, width, and what the
//! Tab key reaches. The rules are those of WCAG 2.1 AA that a program can check; axe-core, which knows more, checks
//! the pages too where it is installed.

use serde_json::Value;

use crate::support::browser::{Browser, Looks};

/// Sizes and color schemes of the browser.
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

/// Answers a list of what is wrong with the page as it stands.
pub(super) async fn check(browser: &Browser, looks: Looks) -> Vec<String> {
    // A phone makes itself as wide as the page, so that only we know how wide it is.
    let width = format!("const WIDTH = {};", looks.width);
    words(&browser.run(&format!("{width}{TELL}{COLOURS}{CHECK}")).await)
}

/// Findings of axe-core, where `scripts/check` has installed it.
pub(super) async fn axe(browser: &Browser) -> Vec<String> {
    let Some(script) = axe_script() else {
        return Vec::new();
    };
    let script = std::fs::read_to_string(script).expect("axe-core can be read");
    words(&browser.run(&format!("{script}\n{AXE}")).await)
}

#[expect(
    clippy::disallowed_methods,
    reason = "says where axe-core is; no setting of the product"
)]
fn axe_script() -> Option<std::ffi::OsString> {
    std::env::var_os("SWITCHHOOK_AXE")
}

const AXE: &str = r#"
const options = { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } };
return axe.run(document, options).then((found) => found.violations.map((one) => `axe: ${one.id}: ${one.nodes[0].html.slice(0, 120)}`));
"#;

/// Presses Tab until all was reached, and answers what is wrong on the way: what cannot be reached, what cannot be seen
/// to have the focus, what is reached in another order than it is read.
pub(super) async fn walk(browser: &Browser) -> Vec<String> {
    // Parts that are exchanged on the way would not be those that were reached.
    let begin = "document.activeElement.blur(); scrollTo(0, 0); window.reached = []; \
                 document.querySelectorAll('[data-live]').forEach((part) => part.removeAttribute('data-live'))";
    browser.run(begin).await;
    let mut troubles = Vec::new();
    for _ in 0..400 {
        browser.press("Tab").await;
        let step = browser.run(&format!("{TELL}{COLOURS}{STEP}")).await;
        if step.is_null() {
            break;
        }
        troubles.extend(words(&step));
    }
    troubles.extend(words(&browser.run(&format!("{TELL}{ARRIVAL}")).await));
    troubles
}

fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.map(ToOwned::to_owned).collect()
}

const TELL: &str = r#"
const wrong = [];
const tell = (what, element) => wrong.push(`${what}: ${(element?.outerHTML ?? "").slice(0, 120)}`);
const CONTROLS = "a[href],button:not(:disabled),input:not([type=hidden]):not(:disabled),select,textarea,summary,[tabindex='0']";
const seen = (element) => {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  return box.width > 0 && box.height > 0 && style.visibility !== "hidden" && style.clipPath === "none";
};
"#;

const COLOURS: &str = r#"
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
const contrast = (text, back) => {
  const [one, other] = [light(colour(text)), light(back)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
};
"#;

/// Focused element; null at the end.
const STEP: &str = r#"
const element = document.activeElement;
// A field for a time takes the key several times.
if (element && element === window.reached.at(-1)) return [];
if (!element || element === document.body || window.reached.includes(element)) return null;
const last = window.reached.at(-1);
if (last && !(last.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING)) tell("reached too early", element);
window.reached.push(element);
const style = getComputedStyle(element);
if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) tell("its focus cannot be seen", element);
else if (contrast(style.outlineColor, behind(element.parentElement)) < 3) tell("its focus is hard to see", element);
const box = element.getBoundingClientRect();
if (box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth) tell("focused out of sight", element);
return wrong;
"#;

const ARRIVAL: &str = r#"
const isPicked = (element) => element.type !== "radio" || element.checked || ![...element.form.elements].some((other) => other.name === element.name && other.checked);
for (const element of document.querySelectorAll(CONTROLS)) {
  if (element.checkVisibility() && isPicked(element) && !window.reached.includes(element)) tell("not reached by Tab", element);
}
if (document.querySelector("[tabindex]:not([tabindex='0']):not([tabindex='-1'])")) tell("an order of its own");
return wrong;
"#;

const CHECK: &str = r#"
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
for (const element of document.querySelectorAll("[style],style,script:not([src])")) tell("a style in the page", element);
for (const reference of document.querySelectorAll("[aria-labelledby],[aria-describedby]")) {
  const names = `${reference.getAttribute("aria-labelledby") ?? ""} ${reference.getAttribute("aria-describedby") ?? ""}`;
  for (const id of names.trim().split(/\s+/)) if (!document.getElementById(id)) tell(`a reference to ${id}, which is not there`, reference);
}
if (document.documentElement.scrollWidth > WIDTH + 1) tell(`wider than the screen: ${document.documentElement.scrollWidth}`);

const isAlone = (element) => element.closest("header.bar,main,footer,.skip");
for (const element of document.body.children) {
  if (!isAlone(element) && element.tagName !== "SCRIPT") tell("outside of every landmark", element);
}
const landmarks = new Set();
for (const landmark of document.querySelectorAll("nav,[role=region],section")) {
  const by = landmark.getAttribute("aria-labelledby");
  const role = landmark.tagName === "NAV" ? "navigation" : "region";
  const name = `${role} ${landmark.getAttribute("aria-label") ?? document.getElementById(by)?.textContent ?? ""}`.trim();
  if (name === role) tell("a landmark without a name", landmark);
  if (landmarks.has(name)) tell("two landmarks of the same name", landmark);
  landmarks.add(name);
}
for (const element of document.querySelectorAll("a a,a button,button a,button button,label a,summary a,summary button")) tell("a control in a control", element);
for (const item of document.querySelectorAll("ul > :not(li),dl > :not(dt):not(dd):not(div),tr > :not(td):not(th)")) tell("not what belongs into a list or table", item);
const ARIA = ["label", "labelledby", "describedby", "hidden", "current", "live"].map((name) => `aria-${name}`);
for (const element of document.querySelectorAll("*")) {
  for (const { name } of element.attributes) if (name.startsWith("aria-") && !ARIA.includes(name)) tell(`an unusual ${name}`, element);
  const style = getComputedStyle(element);
  const scrolls = (/auto|scroll/.test(style.overflowX) && element.scrollWidth > element.clientWidth + 1) ||
    (/auto|scroll/.test(style.overflowY) && element.scrollHeight > element.clientHeight + 1);
  const hides = style.overflowX === "hidden" && element.scrollWidth > element.clientWidth + 1;
  if (hides && seen(element)) tell("cut off at its edge", element);
  const isRoot = element === document.documentElement || element === document.body || element.matches("textarea,select,input");
  if (scrolls && !isRoot && seen(element) && element.tabIndex < 0 && !element.querySelector(CONTROLS)) tell("scrolled by the mouse only", element);
}
for (const field of document.querySelectorAll("input:not([type=hidden]):not([type=radio]):not([type=checkbox]),select,textarea,.button")) {
  if (!seen(field) || field.disabled || field.matches(".main")) continue;
  const style = getComputedStyle(field);
  if (contrast(style.borderTopColor, behind(field.parentElement)) < 3) tell("an edge that is hard to see", field);
}
for (const button of document.querySelectorAll(".button,select,input,summary,nav a")) {
  const box = (button.closest("label") ?? button).getBoundingClientRect();
  if (button.checkVisibility() && seen(button) && (box.height < 24 || box.width < 24)) tell(`hard to hit, ${box.width}×${box.height}`, button);
}
for (const time of document.querySelectorAll("time")) {
  if (time.textContent.includes("UTC") || !time.title.includes(time.dateTime)) tell("a time that is not the viewer's", time);
}
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (walker.currentNode.textContent.trim() === "" || !seen(element) || element.closest("title,script,option,:disabled")) continue;
  if (/\d{4}-\d\d-\d\dT/.test(walker.currentNode.textContent) && !element.closest("pre,code,[role=alert]")) tell("an instant in UTC", element);
  const style = getComputedStyle(element);
  const ratio = contrast(element.closest("svg") ? style.fill : style.color, behind(element));
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) tell(`contrast ${ratio.toFixed(2)}`, element);
}
return wrong;
"#;
