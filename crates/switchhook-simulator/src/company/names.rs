//! Names, numbers and addresses, all of them fictional.

const FIRST: [&str; 32] = [
    "Amara", "Bruno", "Chiara", "Dev", "Elif", "Frances", "Goran", "Hana", "Idris", "Jun", "Kofi", "Lena",
    "Mateo", "Noor", "Olga", "Pavel", "Quinn", "Rosa", "Sven", "Tuyet", "Uma", "Viktor", "Wanda", "Ximena",
    "Yusuf", "Zoë", "Aino", "Björn", "Carmen", "Dagny", "Émile", "Farah",
];

const LAST: [&str; 31] = [
    "Osei",
    "Keller",
    "Longo",
    "Raman",
    "Demir",
    "O'Neill",
    "Petrov",
    "Sato",
    "Bello",
    "Park",
    "Mensah",
    "Vogel",
    "Silva",
    "Haddad",
    "Ivanova",
    "Novak",
    "Reed",
    "Marin",
    "Lund",
    "Tran",
    "Nair",
    "Weiß",
    "Kowalska",
    "Ruiz",
    "Aydin",
    "Almeida",
    "Laine",
    "Sørensen",
    "Vega",
    "Dahl",
    "Girard",
];

const OUTSIDE_FIRST: [&str; 29] = [
    "Grace", "Henrik", "Ines", "Jonas", "Keiko", "Liam", "Maya", "Nadia", "Óscar", "Priya", "Ravi", "Selma",
    "Tom", "Ulla", "Vera", "Will", "Xiu", "Yara", "Zeno", "Alma", "Ben", "Cora", "Dana", "Eitan", "Flora",
    "Gil", "Hedda", "Ivo", "Jana",
];

const OUTSIDE_LAST: [&str; 30] = [
    "Abara", "Solberg", "Carvalho", "Stein", "Mori", "Doyle", "Patel", "Khalil", "Ortega", "Menon", "Gupta",
    "Berg", "Hill", "Holm", "Costa", "Moss", "Chen", "Saleh", "Rossi", "Lind", "Frost", "Bianchi", "Levi",
    "Katz", "Brook", "Shaw", "Vik", "Horvat", "Kral", "Fontaine",
];

const BUSINESSES: [(&str, &str); 19] = [
    ("Pinewood Bakery", "Owner"),
    ("Northlight Studio", "Producer"),
    ("Carvalho & Daughters", "Partner"),
    ("Tannhof Farm", "Manager"),
    ("Blue Heron Books", "Buyer"),
    ("Doyle Roofing", "Foreman"),
    ("Lakeside Clinic", "Reception"),
    ("Cedar Travel", "Agent"),
    ("Ruiz Print", "Founder"),
    ("Nair Ceramics", "Potter"),
    ("Old Mill Brewing", "Brewer"),
    ("Harbour Cycles", "Mechanic"),
    ("Juniper Legal", "Clerk"),
    ("Sable Optics", "Purchasing"),
    ("Quarry Cafe", "Chef"),
    ("Fern & Stone", "Gardener"),
    ("Bright Laundry", "Owner"),
    ("Westgate School", "Secretary"),
    ("Tidewater Films", "Editor"),
];

/// Frequency of each type of contact.
const TYPES: [&str; 10] = [
    "local",
    "shared",
    "local",
    "shared",
    "google",
    "local",
    "microsoft",
    "shared",
    "local",
    "local",
];

/// Number of users with distinct names.
pub(super) const fn distinct() -> usize {
    FIRST.len() * LAST.len()
}

/// The lists' lengths have no common divisor, so that walking both at once meets every pair.
pub(super) const fn of_user(number: usize) -> (&'static str, &'static str) {
    (FIRST[number % FIRST.len()], LAST[number % LAST.len()])
}

pub(super) const fn of_outsider(number: usize) -> (&'static str, &'static str) {
    (
        OUTSIDE_FIRST[number % OUTSIDE_FIRST.len()],
        OUTSIDE_LAST[number % OUTSIDE_LAST.len()],
    )
}

/// A type, a business and what somebody does there.
pub(super) const fn of_contact(number: usize) -> (&'static str, &'static str, &'static str) {
    let (business, job_title) = BUSINESSES[number % BUSINESSES.len()];
    (TYPES[number % TYPES.len()], business, job_title)
}

/// The part of an e-mail address before the `@`.
pub(super) fn address(first: &str, last: &str) -> String {
    let ascii = |name: &str| {
        let letters = name.chars().filter_map(|letter| match letter {
            'ß' => Some('s'),
            'ø' | 'ö' | 'Ó' => Some('o'),
            'É' | 'ë' => Some('e'),
            letter => letter.is_ascii_alphabetic().then(|| letter.to_ascii_lowercase()),
        });
        letters.collect::<String>()
    };
    format!("{}.{}", ascii(first), ascii(last))
}

/// The number of the company's line with that number.
pub(super) fn phone(line: usize) -> String {
    number(line / 100, line % 100)
}

/// Outside numbers come from the other end of the area codes.
pub(super) fn phone_of_contact(number_of_contact: usize) -> String {
    number(AREAS - 1 - number_of_contact / 100, number_of_contact % 100)
}

/// Number of valid North American area codes: 201 to 989, without those ending in 11 and those with a 9 in the
/// middle.
const AREAS: usize = 8 * 9 * 10 - 8;

fn number(area: usize, line: usize) -> String {
    // Eighty-nine codes for each first digit: ninety without a 9 in the middle, less the one that ends in 11.
    let (first, rest) = (area / 89 % 8 + 2, area % 89);
    let rest = if rest >= 11 { rest + 1 } else { rest };
    format!("+1{first}{rest:02}55501{line:02}")
}
