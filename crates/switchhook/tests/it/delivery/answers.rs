//! Answers of every kind: the line with the status decides, and what is odd about the rest is a note.

use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderName, HeaderValue};
use switchhook_domain::attempt::{ANSWER_HEAD, Answer, FailureReason};
use switchhook_domain::webhook::WebhookSettings;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::delivery::transport::{PostResult, SPEAKS_TLS, Transport};
use tokio::io::AsyncWriteExt;

use super::network::{check_status, check_unanswered, post, post_with, read_request, receiver, transport};

/// Result of a POST that is answered with `bytes`, after which the connection ends or stalls.
async fn answered_with(bytes: impl Into<Vec<u8>>, then: Then) -> PostResult {
    let bytes = bytes.into();
    let (address, _) = receiver(move |mut stream| {
        let bytes = bytes.clone();
        async move {
            read_request(&mut stream).await;
            // Who sends too much is hung up on.
            let _ = stream.write_all(&bytes).await;
            if matches!(then, Then::Stall) {
                std::future::pending::<()>().await;
            }
        }
    })
    .await;
    post(address).await
}

#[derive(Clone, Copy)]
enum Then {
    End,
    Stall,
}

async fn note_of(bytes: impl Into<Vec<u8>>, then: Then, status: u16) -> Option<String> {
    let posted = answered_with(bytes, then).await;
    check_status(&posted, status);
    let answer = posted.answer.expect("the status came");
    assert_eq!(answer.status, status);
    answer.note
}

#[tokio::test]
async fn what_is_odd_in_the_headers_is_read_or_passed_by() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-folded: one\r\n two\r\n\tthree\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nthis is no header\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n: no name\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-raw: \u{fc}\r\nx-\u{fc}: 1\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-control: a\u{1}b\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n",
        "HTTP/1.1 200\r\ncontent-length: 2\r\n",
        "HTTP/1.1 200 \r\ncontent-length: 2\r\n",
        "HTTP/1.1 200 OK\ncontent-length: 2\n",
        "\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n",
        // Until the connection ends.
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n",
    ] {
        let posted = answered_with(format!("{head}\r\nok"), Then::End).await;
        check_status(&posted, 200);
        let answer = posted.answer.expect("it was answered");
        assert_eq!((&*answer.body_head, answer.note), (&b"ok"[..], None), "{head}");
    }
}

#[tokio::test]
async fn headers_that_cannot_be_read_are_a_note() {
    let many: String = (0..150).map(|index| format!("x-{index}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "x".repeat(1_000_000));
    for (head, status) in [
        (format!("HTTP/1.1 200 OK\r\n{many}"), 200),
        (format!("HTTP/1.1 503 Busy\r\n{long}"), 503),
        ("HTTP/1.1 200 OK\r\ncontent-length: two\r\n".to_owned(), 200),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n".to_owned(), 200),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n".to_owned(),
            200,
        ),
        (
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n".to_owned(),
            200,
        ),
        ("HTTP/1.1 404 No\r\nx-nul: a\0b\r\n".to_owned(), 404),
        ("HTTP/1.1  200  OK\r\ncontent-length: 2\r\n".to_owned(), 200),
        ("HTTP/1.2 200 OK\r\ncontent-length: 2\r\n".to_owned(), 200),
        ("HTTP/2 204\r\n".to_owned(), 204),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\ncontent-length: x\r\n".to_owned(),
            201,
        ),
    ] {
        let note = note_of(format!("{head}\r\nok"), Then::End, status).await;
        let note = note.unwrap_or_else(|| panic!("{}", &head[..head.len().min(200)]));
        assert!(
            note.contains("headers could not be read"),
            "{}: {note}",
            &head[..head.len().min(200)]
        );
    }
}

#[tokio::test]
async fn a_credential_that_comes_back_is_not_kept() {
    let (address, _) = receiver(|mut stream| async move {
        let request = read_request(&mut stream).await.unwrap_or_default();
        let first = request.lines().next().unwrap_or_default();
        let head = format!(
            "HTTP/1.1 500 No\r\nx-asked: {first}\r\ncontent-length: {}\r\n\r\n",
            request.len()
        );
        let _ = stream.write_all(format!("{head}{request}").as_bytes()).await;
    })
    .await;
    let made = [("x-api-key".to_owned(), "{{ event.key }}".to_owned())];
    let settings = WebhookSettings {
        event_headers: made.into(),
        ..WebhookSettings::default()
    };
    let url = format!("http://ann:hunter2@{address}/hook?token=qu3ry&team=blue");
    let mut post = post_with(&url, settings);
    // As it is made before the POST.
    let name = HeaderName::from_static("x-api-key");
    post.set_header(name, HeaderValue::from_static("h3ader"));
    let posted = transport(AddressGuard::allowing_loopback()).post(post).await;
    check_status(&posted, 500);
    let answer = posted.answer.expect("it was answered");
    let body = String::from_utf8_lossy(&answer.body_head);
    assert!(body.contains("X-Api-Key: ***\r\n"), "{body}");
    assert!(body.contains("Authorization: ***\r\n"), "{body}");
    for kept in [&*body, answer.headers.as_json()] {
        assert!(kept.contains("POST /hook?token=***&team=blue HTTP/1.1"), "{kept}");
        // Base64 of ann:hunter2
        for credential in ["hunter2", "qu3ry", "h3ader", "YW5uOmh1bnRlcjI"] {
            assert!(!kept.contains(credential), "{kept}");
        }
    }
}

#[tokio::test]
async fn of_headers_that_are_too_long_the_beginning_is_kept_and_a_note() {
    let long: String = (0..50)
        .map(|index| format!("x-{index:02}: {}\r\n", "x".repeat(2_000)))
        .collect();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{long}\r\nok");
    let posted = answered_with(head, Then::End).await;
    check_status(&posted, 200);
    let answer = posted.answer.expect("it was answered");
    // Whether they are read at all hangs on how they arrive.
    assert!(answer.note.is_some_and(|note| note.contains("headers")));
    assert!(answer.headers.as_json().len() < 80_000);
}

#[tokio::test]
async fn what_breaks_off_or_stalls_after_the_status_is_a_note() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let cases = [
        (
            "HTTP/1.1 200 OK\r\n".to_owned(),
            Then::End,
            "headers could not be read",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
            Then::End,
            "headers could not be read",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
            Then::Stall,
            "headers were not complete within 300 ms",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf of".to_owned(),
            Then::End,
            "body broke off",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf of".to_owned(),
            Then::Stall,
            "body was not complete within 300 ms",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nno end".to_owned(),
            Then::Stall,
            "body was not complete within 300 ms",
        ),
        (format!("{chunked}zz\r\nok\r\n"), Then::End, "body broke off"),
        (format!("{chunked}2\r\nokay\r\n"), Then::End, "body broke off"),
        (
            format!("{chunked}ffffffffffffffffff\r\nok"),
            Then::End,
            "body broke off",
        ),
        (format!("{chunked}2\r\nok\r\n"), Then::End, "body broke off"),
        (
            format!("{chunked}2\r\nok\r\n"),
            Then::Stall,
            "body was not complete within 300 ms",
        ),
    ];
    let check = async |(text, then, words): (String, Then, &str)| {
        let note = note_of(text.clone(), then, 200).await;
        assert!(
            note.as_ref().is_some_and(|note| note.contains(words)),
            "{text}: {note:?}"
        );
    };
    // All at once, because several wait for a deadline.
    join_all(cases.map(check)).await;
}

#[tokio::test]
async fn what_was_read_of_a_broken_answer_is_kept() {
    let text = "HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 50\r\n\r\nhalf of";
    let Some(Answer {
        body_head, headers, ..
    }) = answered_with(text, Then::End).await.answer
    else {
        panic!("the status came");
    };
    assert_eq!(body_head, b"half of");
    assert_eq!(headers.to_map()["retry-after"], "7");
}

#[tokio::test]
async fn a_status_that_did_not_come_whole_is_none() {
    let check = async |text: &'static str| {
        let posted = answered_with(text, Then::Stall).await;
        check_unanswered(
            &posted,
            FailureReason::AnswerTimeout,
            "nothing was answered within 300 ms",
        );
        check_unanswered(
            &answered_with(text, Then::End).await,
            FailureReason::ConnectionLost,
            "",
        );
    };
    let texts = [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 20",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
    ];
    join_all(texts.map(check)).await;
}

#[tokio::test]
async fn a_receiver_that_drips_is_left_at_the_deadline() {
    let (address, _) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
        for byte in head.iter().chain(&[b'x'; 100_000]) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    let posted = post(address).await;
    check_status(&posted, 200);
    let note = posted.answer.and_then(|answer| answer.note);
    assert!(note.is_some_and(|note| note.contains("not complete within 300 ms")));
}

#[tokio::test]
async fn endless_headers_are_not_read() {
    let (address, _) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let status = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        status.expect("the server reads");
        while stream
            .write_all(b"x-more: and more and more and more\r\n")
            .await
            .is_ok()
        {}
    })
    .await;
    check_status(&post(address).await, 200);
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_counts_by_its_status() {
    let (address, _) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.expect("the server reads");
        while stream.write_all(b"400\r\n").await.is_ok()
            && stream.write_all(&[b'x'; 1024]).await.is_ok()
            && stream.write_all(b"\r\n").await.is_ok()
        {}
    })
    .await;
    let posted = post(address).await;
    check_status(&posted, 200);
    let answer = posted.answer.expect("there is one");
    assert_eq!(answer.body_head.len(), ANSWER_HEAD);
    assert!(answer.is_truncated);
}

#[tokio::test]
async fn a_flood_of_provisional_answers_ends_at_the_deadline() {
    let (address, _) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        while stream
            .write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    check_unanswered(&post(address).await, FailureReason::AnswerTimeout, "300 ms");
}

#[tokio::test]
async fn what_is_no_http_is_named_so() {
    let (address, _) = receiver(|mut stream| async move {
        read_request(&mut stream).await;
        stream
            .write_all(b"220 mail.example.com ESMTP\r\n")
            .await
            .expect("the server reads");
    })
    .await;
    check_unanswered(&post(address).await, FailureReason::NotHttp, "");
}

#[tokio::test]
async fn a_receiver_that_speaks_tls_is_told_by_what_it_answers_in_the_clear() {
    for said in [
        "<center>The plain HTTP request was sent to HTTPS port</center>",
        "Client sent an HTTP request to an HTTPS server.\n",
    ] {
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{said}",
            said.len()
        );
        let note = note_of(answer, Then::End, 400).await;
        assert_eq!(note.as_deref(), Some(SPEAKS_TLS));
    }
    // An alert: fatal, "unexpected message", which is a line feed.
    let posted = answered_with([21, 3, 1, 0, 2, 2, 10], Then::End).await;
    check_unanswered(&posted, FailureReason::NotHttp, SPEAKS_TLS);
    let other = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno";
    assert_eq!(note_of(other, Then::End, 400).await, None);
}
