//! Help for somebody who does not know the program.

use super::run::Shell;

const COMMANDS: &[&[&str]] = &[
    &["dev"],
    &["init"],
    &["serve"],
    &["keys", "create"],
    &["keys", "list"],
    &["keys", "revoke"],
    &["webhooks", "create"],
    &["webhooks", "list"],
    &["webhooks", "show"],
    &["webhooks", "update"],
    &["webhooks", "delete"],
    &["webhooks", "rotate-secret"],
    &["webhooks", "test"],
    &["webhooks", "pause"],
    &["webhooks", "resume"],
    &["webhooks", "skip-to-now"],
    &["webhooks", "preview"],
    &["webhooks", "templates"],
    &["websockets", "create"],
    &["websockets", "list"],
    &["websockets", "show"],
    &["websockets", "update"],
    &["websockets", "delete"],
    &["sources", "create"],
    &["sources", "list"],
    &["sources", "show"],
    &["sources", "update"],
    &["sources", "delete"],
    &["sources", "refusals"],
    &["connect", "dialpad"],
    &["listen"],
    &["subscriptions", "create"],
    &["subscriptions", "list"],
    &["subscriptions", "show"],
    &["subscriptions", "update"],
    &["subscriptions", "delete"],
    &["subscriptions", "try-filter"],
    &["feed"],
    &["send"],
    &["simulate"],
    &["events", "list"],
    &["events", "show"],
    &["events", "explain"],
    &["tail"],
    &["receive"],
    &["jwt", "sign"],
    &["jwt", "verify"],
    &["jwt", "decode"],
    &["explain-request"],
    &["ready"],
    &["doctor"],
    &["deliveries", "list"],
    &["deliveries", "show"],
    &["deliveries", "redeliver"],
    &["deliveries", "cancel"],
    &["dead-letters", "list"],
    &["dead-letters", "resend"],
    &["dead-letters", "dismiss"],
    &["dead-letters", "export"],
    &["replays", "create"],
    &["replays", "list"],
    &["replays", "show"],
    &["replays", "cancel"],
    &["config", "check"],
    &["migrate"],
    &["bench"],
    &["spec", "asyncapi"],
    &["spec", "schema"],
    &["completions"],
];

#[test]
fn the_help_of_every_command_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        let mut words = command.to_vec();
        words.push("--help");
        let help = Shell::new(folder.path()).run(&words).ok().stdout;
        let example = format!("switchhook {}", command.join(" "));
        assert!(
            help.contains("Example") && help.contains(&example),
            "{command:?}:\n{help}"
        );
    }
}

#[test]
fn help_lists_the_words_that_an_option_takes() {
    let folder = tempfile::tempdir().unwrap();
    for (words, expected) in [
        (&["send"][..], "auto, call, sms"),
        (
            &["deliveries", "list"],
            "pending, delivered, exhausted, cancelled",
        ),
        (&["notifications", "channels", "create"], "webhook, slack, teams"),
        (&["webhooks", "create"], "durable, dialpad"),
        (&["tail"], "auto, always, never"),
    ] {
        let help = Shell::new(folder.path())
            .run(&[words, &["--help"]].concat())
            .ok()
            .stdout;
        let help: Vec<_> = help.split_whitespace().collect();
        let listed = format!("[possible values: {expected}");
        assert!(help.join(" ").contains(&listed), "{words:?}: {}", help.join(" "));
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    for (words, expected) in [
        (&["frobnicate"][..], "unrecognized subcommand"),
        (&["serve", "--lisen", "x"], "--listen"),
        (&["send", "fax"], "call, sms, agent_status, contact or changelog"),
        (&["keys", "create"], "--name"),
        (&["dev", "--forward", "localhost:3000/hook"], "http://"),
        (&["dev", "--events", "3"], "--forward"),
        (
            &["keys", "create", "--name", "x", "--scopes", "everything"],
            "message_content_export:all",
        ),
        (
            &["keys", "create", "--name", "x", "--rights", "rule"],
            "read, write or ingest",
        ),
        (
            &["deliveries", "list", "--state", "lost"],
            "pending, delivered, exhausted or cancelled",
        ),
        (&["deliveries", "list", "--state", "failed"], "use exhausted"),
        (&["deliveries", "list", "--state", "retrying"], "use pending"),
        (&["events", "list", "--since", "yesterday"], "1h"),
        (&["replays", "create"], "say which events"),
        (
            &["replays", "create", "--since", "1h", "--dry-run", "--wait"],
            "--wait",
        ),
        (
            &[
                "subscriptions",
                "create",
                "sms",
                "--webhook",
                "1",
                "--call-states",
                "hangup",
            ],
            "is for call",
        ),
        (&["webhooks", "update", "1"], "--help"),
        (&["sources", "update", "1"], "--help"),
        (&["websockets", "update", "1"], "--generate-secret"),
        (&["listen"], "--forward"),
        (
            &["listen", "--forward", "http://localhost/", "--after", "1"],
            "--websocket",
        ),
        (&["connect", "dialpad", "--api-key", "k"], "--public-url"),
        (
            &["webhooks", "list", "--url", "ftp://localhost"],
            "http://127.0.0.1:8400",
        ),
    ] {
        let run = Shell::new(folder.path()).run(words).failed(2);
        assert!(run.stderr.contains(expected), "{words:?}: {run:?}");
        assert_eq!(run.stdout, "", "{words:?}");
    }
}

#[test]
fn the_documents_are_printed_and_shells_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    assert!(
        shell
            .run(&["spec", "asyncapi"])
            .ok()
            .stdout
            .starts_with("asyncapi: 2.6.0")
    );
    assert!(shell.run(&["spec", "openapi"]).ok().json()["paths"]["/api/v2/webhooks"].is_object());
    for kind in ["call", "change-log"] {
        assert!(shell.run(&["spec", "schema", kind]).ok().json()["properties"].is_object());
    }
    let completions = shell.run(&["completions", "bash"]).ok().stdout;
    for words in [
        "call sms agent_status contact changelog unknown",
        "pending delivered exhausted cancelled",
        "observed asyncapi",
        "inbound-voicemail",
        "read write ingest",
        "durable dialpad",
        "late-leg bad-signature",
        "slack-message slack-missed-call",
    ] {
        assert!(completions.contains(words), "{words}");
    }
}
