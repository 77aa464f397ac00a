//! Texts of messages.

pub(super) const QUESTIONS: [&str; 10] = [
    "Hi, is my order ready to pick up?",
    "Could you call me back after 3pm please?",
    "Thanks, that worked!",
    "Do you also have it in green? 🌿",
    "What are your opening hours on Saturday?",
    "I'm running ten minutes late, sorry.",
    "Can I still change the delivery address?",
    "¿Tienen alguien que hable español?",
    "The invoice says \"net 14\", we agreed on net 30",
    "STOP",
];

pub(super) const ANSWERS: [&str; 8] = [
    "Your order is ready at the front desk.",
    "We open at 9 and close at 5.",
    "Of course, we will call you this afternoon.",
    "Thank you for your patience!\nLarkfield Support",
    "It ships tomorrow; you will get a tracking link.",
    "Sure — the new address is noted.",
    "Here is the form: https://larkfield.example/returns?id=42&lang=en",
    "Glad that it worked 🙂",
];

pub(super) const BETWEEN_COLLEAGUES: [&str; 4] = [
    "Can you take the Pinewood call?",
    "Lunch at 12:30?",
    "The 2pm moved to 3pm",
    "on it",
];

pub(super) const PICTURE: &str = "See the picture";
