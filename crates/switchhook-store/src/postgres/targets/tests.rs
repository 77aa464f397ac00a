use super::*;

fn targets(url: &str) -> Targets {
    Targets::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[track_caller]
fn check(url: &str, servers: &[(&str, u16)], wanted: SessionAttrs) {
    let targets = targets(url);
    let found: Vec<_> = targets
        .servers
        .iter()
        .map(|server| (server.options.get_host(), server.options.get_port()))
        .collect();
    assert_eq!(found, servers, "{url}");
    assert_eq!(targets.wanted, wanted, "{url}");
    for server in &targets.servers {
        assert_eq!(server.options.get_database(), Some("calls"), "{url}");
        assert_eq!(server.options.get_username(), "me", "{url}");
    }
}

#[test]
fn hosts_are_read_as_libpq_reads_them() {
    check("postgres://me@db/calls", &[("db", 5432)], SessionAttrs::Any);
    check(
        "postgresql://me:p%40ss@db:6000/calls?sslmode=disable",
        &[("db", 6000)],
        SessionAttrs::Any,
    );
    check(
        "postgres://me@one:1,two:2,three/calls",
        &[("one", 1), ("two", 2), ("three", 5432)],
        SessionAttrs::ReadWrite,
    );
    check(
        "postgres://me:a,b@one,two/calls",
        &[("one", 5432), ("two", 5432)],
        SessionAttrs::ReadWrite,
    );
    check(
        "postgres://me@one,two/calls?target_session_attrs=any&sslmode=disable",
        &[("one", 5432), ("two", 5432)],
        SessionAttrs::Any,
    );
    check(
        "postgres://me@db/calls?target_session_attrs=primary",
        &[("db", 5432)],
        SessionAttrs::Primary,
    );
    check(
        "postgres://me@/calls?host=one,two&port=7",
        &[("one", 7), ("two", 7)],
        SessionAttrs::ReadWrite,
    );
    check(
        "postgres://me@/calls?host=one%2Ctwo&port=7,8",
        &[("one", 7), ("two", 8)],
        SessionAttrs::ReadWrite,
    );
    check(
        "postgres://me@[::1]:7,db:8/calls",
        &[("[::1]", 7), ("db", 8)],
        SessionAttrs::ReadWrite,
    );
}

#[test]
fn a_folder_of_sockets_is_a_host_too() {
    let targets = targets("postgres:///calls?host=/run/postgresql&user=me");
    assert_eq!(targets.servers[0].name, "/run/postgresql");
    let socket = targets.servers[0]
        .options
        .get_socket()
        .map(|path| path.display().to_string());
    assert_eq!(socket.as_deref(), Some("/run/postgresql"));
}

#[test]
fn what_is_not_understood_is_refused_without_being_repeated() {
    for url in [
        "postgres:me:hunter2@db",
        "postgres://me:hunter2@db:port/calls",
        "postgres://me:hunter2@one,/calls",
        "postgres://me:hunter2@one,two/calls?port=1,2,3",
        "postgres://me:hunter2@db/calls?target_session_attrs=writable",
    ] {
        let error = Targets::parse(url).expect_err(url).to_string();
        assert!(error.contains("URL is not understood"), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_parameter_that_would_not_count_is_refused_by_its_name() {
    for (query, told) in [
        ("sslmod=verify-full", "the parameter `sslmod` is not known"),
        ("target_session_atrs=primary", "`target_session_atrs`"),
        ("channel_binding=require", "`channel_binding`"),
        ("sslmode=disable&foo=hunter2", "`foo`"),
        ("hun-ter2=1", "a name that is none"),
        ("sslmode=nonsense", "sslmode is one of disable, allow"),
        ("ssl-mode=", "sslmode is one of disable, allow"),
    ] {
        let url = format!("postgres://me@db/calls?{query}");
        let error = Targets::parse(&url).expect_err(&url).to_string();
        assert!(error.contains(told), "{url}: {error}");
        assert!(
            !error.contains("hunter2") && !error.contains("hun-ter2"),
            "{error}"
        );
    }
    for query in [
        "sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "ssl-mode=disable&application_name=calls",
        "options=-c%20statement_timeout=5s&options[search_path]=calls",
        "statement-cache-capacity=50&",
    ] {
        check(
            &format!("postgres://me@db/calls?{query}"),
            &[("db", 5432)],
            SessionAttrs::Any,
        );
    }
}

#[test]
fn a_password_that_is_not_percent_encoded_is_told_of_and_not_repeated() {
    for password in [
        "hun/ter2",
        "hun#ter2",
        "hun?ter2",
        "hun%ter2",
        "1/hunter2@x",
        "hun@t/er2",
        "12?a=b",
    ] {
        for url in [
            format!("postgres://me:{password}@db/calls"),
            format!("postgres://me:{password}@db,other/calls?sslmode=require"),
        ] {
            let error = Targets::parse(&url).expect_err(&url).to_string();
            assert!(error.contains("percent-encoded"), "{url}: {error}");
            for part in ["hun", "ter2", "12"] {
                assert!(!error.contains(part), "{error}");
            }
        }
    }
    // What can only be meant one way is taken.
    for password in ["hun@ter2", "hun:ter2", "hun%40ter2", "a=b&c"] {
        check(
            &format!("postgres://me:{password}@db/calls"),
            &[("db", 5432)],
            SessionAttrs::Any,
        );
    }
}

#[test]
fn a_server_is_used_if_it_is_what_is_wanted() {
    const PRIMARY: ServerState = ServerState {
        is_read_only: false,
        is_standby: false,
    };
    const STANDBY: ServerState = ServerState {
        is_read_only: true,
        is_standby: true,
    };
    const CLOSED: ServerState = ServerState {
        is_read_only: true,
        is_standby: false,
    };
    for (wanted, accepted) in [
        (SessionAttrs::Any, vec![PRIMARY, STANDBY, CLOSED]),
        (SessionAttrs::PreferStandby, vec![PRIMARY, STANDBY, CLOSED]),
        (SessionAttrs::ReadWrite, vec![PRIMARY]),
        (SessionAttrs::ReadOnly, vec![STANDBY, CLOSED]),
        (SessionAttrs::Primary, vec![PRIMARY, CLOSED]),
        (SessionAttrs::Standby, vec![STANDBY]),
    ] {
        for state in [PRIMARY, STANDBY, CLOSED] {
            let is_accepted = wanted.refusal(state).is_none();
            assert_eq!(is_accepted, accepted.contains(&state), "{wanted:?} {state:?}");
        }
    }
    for wanted in [SessionAttrs::Any, SessionAttrs::ReadWrite, SessionAttrs::Primary] {
        assert!(wanted.is_still_met(PRIMARY));
        assert!(
            !wanted.is_still_met(STANDBY) && !wanted.is_still_met(CLOSED),
            "{wanted:?}"
        );
    }
}
