//! A real browser without a window: Chromium, driven through chromedriver by the few commands of `WebDriver` that are needed.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::Caller;

/// Appearance of the browser to pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
    pub(crate) is_phone: bool,
}

impl Looks {
    pub(crate) const DESKTOP: Self = Self {
        width: 1_280,
        height: 900,
        is_dark: false,
        is_phone: false,
    };
}

/// A browser and its driver; both end with it.
pub(crate) struct Browser {
    driver: Child,
    caller: Caller,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser; `None`, and a line about it, where there is none.
    #[expect(clippy::print_stderr, reason = "a test that skips itself says so")]
    pub(crate) async fn start() -> Option<Self> {
        let address = free_address();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={}", address.port()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(driver) = driver else {
            eprintln!("skipped: chromium and chromedriver are not installed (scripts/check installs them)");
            return None;
        };
        let profile = tempfile::tempdir().expect("there is room for a profile");
        let mut browser = Self {
            driver,
            caller: Caller::new(address, "none"),
            session: String::new(),
            profile,
        };
        browser.wait_for_driver().await;
        browser.session = browser.begin().await;
        browser.look_like(Looks::DESKTOP).await;
        Some(browser)
    }

    async fn wait_for_driver(&self) {
        for _ in 0..200 {
            if matches!(self.caller.send("GET", "/status", "").await, Ok((status, _)) if status.is_success())
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("chromedriver does not answer");
    }

    async fn begin(&self) -> String {
        let profile_option = format!("--user-data-dir={}", self.profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--lang=en-GB",
            &profile_option,
        ];
        let capabilities = json!({
            "capabilities": { "alwaysMatch": {
                "goog:chromeOptions": { "args": arguments },
                "goog:loggingPrefs": { "browser": "ALL" },
            }},
        });
        let begun = self
            .caller
            .ask("POST", "/session", &capabilities.to_string())
            .await;
        begun["value"]["sessionId"]
            .as_str()
            .expect("a session has an id")
            .to_owned()
    }

    async fn command(&self, method: &str, command: &str, body: Value) -> Value {
        let path = format!("/session/{}/{command}", self.session);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.caller.ask(method, &path, &body).await["value"].take()
    }

    async fn developer(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.command("POST", "goog/cdp/execute", body).await;
    }

    /// Changes size and theme.
    pub(crate) async fn look_like(&self, looks: Looks) {
        let theme = if looks.is_dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.developer("Emulation.setEmulatedMedia", features).await;
        let Looks {
            width,
            height,
            is_phone,
            ..
        } = looks;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone });
        self.developer("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Lets pages run scripts or not.
    pub(crate) async fn allow_scripts(&self, allow: bool) {
        self.developer("Emulation.setScriptExecutionDisabled", json!({ "value": !allow }))
            .await;
    }

    pub(crate) async fn open(&self, url: &str) {
        self.command("POST", "url", json!({ "url": url })).await;
    }

    pub(crate) async fn url(&self) -> String {
        let url = self.command("GET", "url", Value::Null).await;
        url.as_str().expect("a page has a URL").to_owned()
    }

    /// Runs a script in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("POST", "execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// The text that can be seen.
    pub(crate) async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks the first thing that a selector finds and that says this, once it is there.
    pub(crate) async fn click(&self, selector: &str, text: &str) {
        for _ in 0..100 {
            if self.try_click(selector, text).await == Some(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (url, page) = (self.url().await, self.text().await);
        panic!("{selector} that says {text:?} is not on {url}:\n{page}");
    }

    /// `None` if what was found was exchanged meanwhile, as live parts of a page are.
    async fn try_click(&self, selector: &str, text: &str) -> Option<bool> {
        let body = json!({ "using": "css selector", "value": selector });
        let found = self.command("POST", "elements", body).await;
        for element in found.as_array().into_iter().flatten() {
            let id = element.as_object()?.values().next()?.as_str()?;
            let element = format!("/session/{}/element/{id}", self.session);
            let (status, own) = self
                .caller
                .send("GET", &format!("{element}/text"), "")
                .await
                .ok()?;
            if !status.is_success() {
                return None;
            }
            if own["value"].as_str().is_some_and(|own| own.contains(text)) {
                let (status, _) = self
                    .caller
                    .send("POST", &format!("{element}/click"), "{}")
                    .await
                    .ok()?;
                return Some(status.is_success());
            }
        }
        Some(false)
    }

    /// Types into a field.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let body = json!({ "using": "css selector", "value": selector });
        let element = self.command("POST", "element", body).await;
        let id = element
            .as_object()
            .and_then(|element| element.values().next()?.as_str());
        let path = format!("element/{}/value", id.expect("an element has an id"));
        self.command("POST", &path, json!({ "text": text })).await;
    }

    /// Presses Tab until the focus is on what a selector finds and that says this, as somebody without a mouse does.
    pub(crate) async fn tab_to(&self, selector: &str, text: &str) {
        let is_there = format!(
            "const own = document.activeElement; const words = own.textContent + (own.value ?? ''); \
             return own.matches({selector:?}) && words.includes({text:?})"
        );
        for _ in 0..200 {
            self.press("Tab").await;
            if self.run(&is_there).await == Value::Bool(true) {
                return;
            }
        }
        panic!(
            "Tab does not lead to {selector} that says {text:?}:\n{}",
            self.text().await
        );
    }

    /// Types where the focus is.
    pub(crate) async fn write(&self, text: &str) {
        self.developer("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses a key: `Tab`, `Enter` or a space.
    pub(crate) async fn press(&self, key: &str) {
        let (code, number, text) = match key {
            "Enter" => ("Enter", 13, "\r"),
            " " => ("Space", 32, " "),
            other => (other, 9, ""),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut press =
                json!({ "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number });
            if kind == "keyDown" && !text.is_empty() {
                press["text"] = json!(text);
            }
            self.developer("Input.dispatchKeyEvent", press).await;
        }
    }

    /// Chooses an option of a field, once that is there.
    pub(crate) async fn choose(&self, selector: &str, value: &str) {
        let script = format!(
            "const field = document.querySelector({selector:?}); if (field === null) return false; \
             field.value = {value:?}; return field.value === {value:?}"
        );
        self.wait_for(&format!("choosing {value} in {selector}"), &script)
            .await;
    }

    /// Waits until a script answers something true.
    pub(crate) async fn wait_for(&self, what: &str, script: &str) -> Value {
        for _ in 0..300 {
            let answer = self.run(script).await;
            if !matches!(answer, Value::Null | Value::Bool(false)) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!(
            "{what} did not happen on {}:\n{}",
            self.url().await,
            self.text().await
        );
    }

    /// Console messages since the last call: errors, broken policies, failed requests.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.command("POST", "se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            // Advice about forms is no complaint.
            .filter(|entry| entry["level"] != "DEBUG")
            .filter_map(|entry| entry["message"].as_str().map(ToOwned::to_owned))
            .collect()
    }

    /// A picture of the page.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let picture = self.command("GET", "screenshot", Value::Null).await;
        let picture = picture.as_str().expect("a picture is text");
        STANDARD.decode(picture).expect("a picture is base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Errors mean that they are already gone.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        for process in processes_with(&self.profile.path().display().to_string()) {
            let _ = Command::new("kill").args(["-9", &process]).status();
        }
    }
}

/// The processes whose command line says this: a browser outlives its driver.
fn processes_with(words: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = all.filter_map(|entry| entry.file_name().into_string().ok());
    numbered
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|name| {
            let line = std::fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(words)
        })
        .collect()
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it listens")
}
