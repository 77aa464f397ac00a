//! Topic of a call: the words of its transcript, its recap and its wrap-up.

use crate::rng::Rng;

/// Topic of a conversation.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) summary: &'static str,
    pub(super) purposes: &'static [&'static str],
    pub(super) outcome: &'static str,
    pub(super) action_items: &'static [&'static str],
    pub(super) disposition: &'static str,
    /// Words of a voicemail.
    pub(super) voicemail: &'static str,
}

const TOPICS: [Topic; 5] = [
    Topic {
        summary: "The caller asked about an order that is late; the agent found it at the carrier.",
        purposes: &["Order status"],
        outcome: "Resolved",
        action_items: &["Send the tracking link"],
        disposition: "Order status",
        voicemail: "Hi, I'm calling about my order from last week. Please call me back. Thanks!",
    },
    Topic {
        summary: "An invoice was \"net 14\" instead of \"net 30\". A corrected one will be sent.",
        purposes: &["Billing", "Correction"],
        outcome: "Follow-up needed",
        action_items: &["Correct the invoice", "Confirm the terms by e-mail"],
        disposition: "Billing question",
        voicemail: "Hello, there's something wrong with the invoice. It says fourteen days.",
    },
    Topic {
        summary: "The caller wants to return two lamps. The return was booked for Thursday.",
        purposes: &["Return"],
        outcome: "Resolved",
        action_items: &["Book the pickup", "Send the label"],
        disposition: "Return",
        voicemail: "Yes, hello, two of the lamps arrived broken. I'd like to send them back.",
    },
    Topic {
        summary: "A new customer asked for prices of larger quantities.",
        purposes: &["Sales enquiry"],
        outcome: "Qualified",
        action_items: &["Send an offer for 200 pieces"],
        disposition: "Sales lead",
        voicemail: "Good morning, I'd like an offer for about two hundred. My number is on the display.",
    },
    Topic {
        summary: "The caller had reached the wrong company.",
        purposes: &[],
        outcome: "No action",
        action_items: &[],
        disposition: "Wrong number",
        voicemail: "Oh. Sorry, wrong number.",
    },
];

pub(super) fn any(rng: &mut Rng) -> &'static Topic {
    rng.pick(&TOPICS)
}
