//! Seeds that are mutilated at random, with a fixed seed: the claims of the fuzz targets in a short run for every machine. Its
//! [`Dice`] serve other tests that want the same texts in every run.

use std::path::Path;

/// Bytes that mean something to one of the readers.
const TOKENS: [&[u8]; 40] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"'",
    b"\n",
    b"\t",
    b"- ",
    b"---\n",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!int ",
    b"|\n",
    b"\xff",
    b"\xc2\x85",
    b"\0",
    b"\\u0041",
    b"-----BEGIN CERTIFICATE-----",
    b"null",
    b"1e5",
    b"\\",
    b"\r\n",
    b"/",
    b"?",
    b"=",
    b"!",
    b"(",
    b"%2F",
    b"watch/",
    b"namespaces/",
    b"7 {",
    b"{\"verb\":\"get\",\"stage\":",
    b"[[waive]]\n",
    b"# bartizan: waive ",
    b"\"\"\"",
    b"9999999999999999999999",
];

/// A small generator: the same numbers in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `limit`, or zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// One of the choices.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    fn mutilate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let length = self.below(12).min(bytes.len() - at);
        match self.below(6) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
            1 => drop(bytes.drain(at..at + length)),
            2 => {
                let copy = bytes[at..at + length].to_vec();
                let to = self.below(bytes.len() + 1);
                drop(bytes.splice(to..to, copy));
            }
            3 => bytes.truncate(at),
            _ => drop(bytes.splice(at..at, self.pick(&TOKENS).iter().copied())),
        }
    }
}

/// Makes `claim` about every seed of `target` and about many mutilations of each.
pub(crate) fn run(target: &str, claim: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut seeds: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds in {}", directory.display());
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for seed in seeds {
        let seed = std::fs::read(seed).unwrap();
        claim(&seed);
        for _ in 0..1500 {
            let mut bytes = seed.clone();
            for _ in 0..=dice.below(4) {
                dice.mutilate(&mut bytes);
            }
            let kept = bytes.clone();
            if let Err(panic) = std::panic::catch_unwind(|| claim(&bytes)) {
                eprintln!("{target}: {:?}", String::from_utf8_lossy(&kept));
                std::panic::resume_unwind(panic);
            }
        }
    }
}
