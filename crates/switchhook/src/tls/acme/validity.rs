//! The time in which a certificate is valid, read from its DER (RFC 5280, section 4.1).

use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag, parse_der};

/// Beginning and end of a certificate's validity, in unix seconds.
///
/// # Errors
/// If it is not a certificate.
pub(super) fn validity(certificate: &[u8]) -> ASN1Result<(i64, i64)> {
    parse_der(certificate, |certificate| {
        certificate.read_sequence(|parts| {
            let validity = parts.next().read_sequence(|fields| {
                fields.read_optional(|version| version.read_tagged(Tag::context(0), part))?;
                for _serial_algorithm_and_issuer in 0..3 {
                    fields.next().read_der()?;
                }
                let validity = fields
                    .next()
                    .read_sequence(|times| Ok((time(times.next())?, time(times.next())?)))?;
                skip_rest(fields)?;
                Ok(validity)
            })?;
            skip_rest(parts)?;
            Ok(validity)
        })
    })
}

fn skip_rest(parts: &mut BERReaderSeq<'_, '_>) -> ASN1Result<()> {
    while parts.read_optional(part)?.is_some() {}
    Ok(())
}

/// `BERReader::read_der` itself is of one lifetime, and what reads must be of all.
fn part(reader: BERReader<'_, '_>) -> ASN1Result<Vec<u8>> {
    reader.read_der()
}

/// Years up to 2049 are written with two digits, others with four.
fn time(reader: BERReader<'_, '_>) -> ASN1Result<i64> {
    const UTC_TIME: u64 = 23;
    const GENERALIZED_TIME: u64 = 24;
    match reader.lookahead_tag()?.tag_number {
        UTC_TIME => Ok(reader.read_utctime()?.datetime().unix_timestamp()),
        GENERALIZED_TIME => Ok(reader.read_generalized_time()?.datetime().unix_timestamp()),
        _ => Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn both_spellings_of_a_time_are_read() {
        for (from, until, seconds) in [
            ((2026, 11, 29), (2027, 2, 27), (1_795_910_400, 1_803_686_400)),
            ((2026, 11, 29), (2051, 1, 1), (1_795_910_400, 2_556_144_000)),
        ] {
            let mut params = CertificateParams::new(["hooks.example.com".to_owned()]).unwrap();
            params.not_before = date_time_ymd(from.0, from.1, from.2);
            params.not_after = date_time_ymd(until.0, until.1, until.2);
            let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(validity(made.der()).unwrap(), seconds);
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        for wrong in [&b""[..], b"\x30\x00", b"\x30\x03\x02\x01\x01", b"nothing"] {
            assert!(validity(wrong).is_err(), "{wrong:?}");
        }
    }
}
