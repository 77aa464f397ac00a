//! The fuzzer's entry with bytes that look somewhat like requests; `fuzz/` has the fuzzer itself.

#[path = "../fuzz/entry.rs"]
mod entry;

use proptest::prelude::*;

fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let json = "\\{\"(call_id|state|event|contact|target)\": ?(null|-?[0-9]{1,20}(\\.[0-9]{1,3})?|\"[a-z\\\\u0]{0,8}\"|\\{\\}|\\[1,\"a\"\\])(, ?\"(state|master_call_id|event_timestamp|x)\":([0-9]{1,14}|\"hangup\"|true)){0,3}\\}?";
    prop_oneof![
        any::<Vec<u8>>(),
        json.prop_map(String::into_bytes),
        "\"?(ey[A-Za-z0-9_-]{0,40}\\.?){0,4}=?\"?\n?".prop_map(String::into_bytes),
        "[\\[\\]{}\",:0-9a-f.eE+-]{0,60}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn nothing_that_strangers_send_breaks_a_promise(content in any_request()) {
        entry::receive_anything(&content);
    }
}
