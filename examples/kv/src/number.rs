//! Numbers as Redis reads and writes them.

use corio::Duration;

/// A 64-bit integer in its one canonical spelling: no plus, no blanks, no leading zeros.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value = 0_i64;
    for digit in digits {
        let digit = i64::from(digit.wrapping_sub(b'0'));
        if !(0..=9).contains(&digit) {
            return None;
        }
        // Built downwards, for the least integer has no positive twin.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// Why a timeout was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadTimeout {
    /// Not a decimal number.
    NotANumber,
    /// Below zero.
    Negative,
    /// More than the clock can count.
    TooLong,
}

/// Seconds with a fraction, rounded up to the millisecond; zero is for ever.
///
/// Integer arithmetic throughout: parsing floats would cost a firmware without an FPU more than the rest of the server.
pub(crate) fn timeout(text: &[u8]) -> Result<Option<Duration>, BadTimeout> {
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
        return Err(if negative { BadTimeout::Negative } else { BadTimeout::TooLong });
    }
    // The value is mantissa * 10^(exponent - 3) seconds; `tail` says that digits beyond it were not all zero.
    let (mut mantissa, mut exponent, mut tail) = (0_u64, 3_i64, false);
    let (mut digits, mut point) = (0, false);
    while let [byte, after @ ..] = rest {
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte - b'0');
                match mantissa.checked_mul(10).and_then(|m| m.checked_add(digit)) {
                    Some(m) if !tail => {
                        mantissa = m;
                        exponent -= i64::from(point);
                    }
                    _ => {
                        tail |= digit != 0;
                        exponent += i64::from(!point);
                    }
                }
                digits += 1;
            }
            b'.' if !point => point = true,
            _ => break,
        }
        rest = after;
    }
    if digits == 0 {
        return Err(BadTimeout::NotANumber);
    }
    match rest {
        [] => {}
        [b'e' | b'E', power @ ..] => {
            let power = match power {
                [b'+', power @ ..] => power,
                power => power,
            };
            let power = integer(power).filter(|p| (-4000..4000).contains(p)).ok_or(BadTimeout::NotANumber)?;
            exponent += power;
        }
        _ => return Err(BadTimeout::NotANumber),
    }
    while exponent > 0 && mantissa != 0 {
        let Some(more) = mantissa.checked_mul(10) else {
            return Err(if negative { BadTimeout::Negative } else { BadTimeout::TooLong });
        };
        (mantissa, exponent) = (more, exponent - 1);
    }
    while exponent < 0 && mantissa != 0 {
        tail |= mantissa % 10 != 0;
        (mantissa, exponent) = (mantissa / 10, exponent + 1);
    }
    match (negative, mantissa) {
        (true, 1..) => Err(BadTimeout::Negative),
        (false, _) => {
            // Rounded up, so that a timeout is never shorter than asked, and a tiny one is not for ever.
            let millis = mantissa.saturating_add(u64::from(tail));
            if millis > u64::MAX / 1_000_000 {
                return Err(BadTimeout::TooLong);
            }
            Ok((millis != 0).then(|| Duration::from_millis(millis)))
        }
        (true, 0) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_spelling() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("99999999999999999999", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
            ("1:", None),
        ] {
            assert_eq!(integer(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn timeouts_are_rounded_up_to_the_millisecond() {
        let ms = |ms| Ok(Some(Duration::from_millis(ms)));
        for (text, value) in [
            ("0", Ok(None)),
            ("0.0", Ok(None)),
            ("-0", Ok(None)),
            ("1", ms(1000)),
            ("+1", ms(1000)),
            ("0.5", ms(500)),
            (".5", ms(500)),
            ("5.", ms(5000)),
            ("0.0001", ms(1)),
            ("1.0001", ms(1001)),
            ("1e-2", ms(10)),
            ("2e1", ms(20_000)),
            ("0.00000000000000000000000001", ms(1)),
            ("1.00000000000000000000000001", ms(1001)),
            ("1e999", Err(BadTimeout::TooLong)),
            ("inf", Err(BadTimeout::TooLong)),
            ("99999999999999999999999", Err(BadTimeout::TooLong)),
            ("-1", Err(BadTimeout::Negative)),
            ("-1e999", Err(BadTimeout::Negative)),
            ("", Err(BadTimeout::NotANumber)),
            (".", Err(BadTimeout::NotANumber)),
            ("abc", Err(BadTimeout::NotANumber)),
            ("1 ", Err(BadTimeout::NotANumber)),
            ("1e", Err(BadTimeout::NotANumber)),
        ] {
            assert_eq!(timeout(text.as_bytes()), value, "{text:?}");
        }
    }
}
