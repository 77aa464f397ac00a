//! Fuzz target, which a property test calls too: everything that a stranger's request passes through. It panics where
//! a promise is broken.

use switchhook_protocol::{diagnose, sign, verify};
use switchhook_receiver::{Calls, Labels, Payload, Receiver};

const SECRET: &str = "the fuzzer does not know it";

/// Gives the bytes to receivers of every sort.
pub(crate) fn receive_anything(content: &[u8]) {
    let guarded = Receiver::builder()
        .secret(SECRET)
        .also_accept("old")
        .accept_quoted();
    let guarded = guarded.build().expect("no secret is empty");
    let open = Receiver::builder().build().expect("there is no secret");
    assert!(guarded.receive(content).is_err(), "nobody signed this");
    let judged = diagnose(content, &[SECRET], Some(content));
    assert_eq!(judged.verdict.is_ok(), verify(content, [SECRET]).is_ok());

    // The same bytes as the payload of a token that is right: signed and unsigned are taken or refused alike.
    let signed = sign(SECRET, content);
    let by_signature = guarded.receive(signed.as_bytes());
    if let Ok(event) = open.receive(content) {
        let labelled = Labels::read(|_| std::str::from_utf8(content).ok());
        let again = open
            .receive_labelled(labelled, content)
            .expect("labels refuse nothing");
        assert_eq!((again.body.as_slice(), event.body.as_slice()), (content, content));
        let by_signature = by_signature.expect("an event stays one when it is signed");
        assert_eq!(by_signature.body, content);
        assert_eq!(by_signature.repeat_key(), event.repeat_key());
        let key = again.repeat_key();
        assert_eq!(key.to_string().parse(), Ok(key));
        let _ = event.summary();
        if let Ok(Payload::Call(call)) = event.payload() {
            let mut calls = Calls::default();
            let first = calls.call_key(&call);
            assert_eq!(
                first,
                calls.call_key(&call),
                "an event does not change its own call"
            );
        }
    } else if content.len() < 1 << 20 && !content.starts_with(b"ey") {
        assert!(by_signature.is_err(), "a signature makes nothing an event");
    }
}
