//! RSA keys by chance: `ring` signs with them and makes none.

use num_bigint::BigUint;
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};

const BITS: usize = 1024;
const EXPONENT: u32 = 65_537;

/// A key of 2,048 bits.
pub(super) fn generate() -> KeyPair {
    let one = BigUint::from(1_u32);
    let e = BigUint::from(EXPONENT);
    loop {
        let (p, q) = (prime(), prime());
        let (p, q) = if p > q { (p, q) } else { (q, p) };
        let (p1, q1) = (&p - &one, &q - &one);
        let Some(d) = e.modinv(&(&p1 * &q1)) else { continue };
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: (&p * &q).to_bytes_be(), e: e.to_bytes_be() },
            dP: (&d % &p1).to_bytes_be(),
            dQ: (&d % &q1).to_bytes_be(),
            qInv: q.modinv(&p).expect("different primes").to_bytes_be(),
            d: d.to_bytes_be(),
            p: p.to_bytes_be(),
            q: q.to_bytes_be(),
        };
        return KeyPair::from_components(&components).expect("a key");
    }
}

/// Its two highest bits are set, so that the product of two has all of its own.
fn prime() -> BigUint {
    let chance = SystemRandom::new();
    let mut bytes = [0_u8; BITS / 8];
    loop {
        chance.fill(&mut bytes).expect("chance");
        bytes[0] |= 0xC0;
        bytes[BITS / 8 - 1] |= 1;
        let number = BigUint::from_bytes_be(&bytes);
        let small = (3..2000_u32).step_by(2).any(|by| &number % by == BigUint::ZERO);
        if !small && is_prime(&number) {
            return number;
        }
    }
}

/// Miller and Rabin's test; of numbers by chance, a few bases are enough.
fn is_prime(number: &BigUint) -> bool {
    let one = BigUint::from(1_u32);
    let before = number - &one;
    let twos = before.trailing_zeros().expect("not zero");
    let odd = &before >> twos;
    [2_u32, 3, 5, 7, 11, 13].into_iter().all(|base| {
        let mut power = BigUint::from(base).modpow(&odd, number);
        power == one
            || (0..twos).any(|_| {
                let found = power == before;
                power = &power * &power % number;
                found
            })
    })
}
