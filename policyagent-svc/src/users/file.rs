//! The users file: the names and salted hashes of those whom extended authentication admits.
//!
//! A line a user: the name, a colon, the hash of its password as Argon2 in PHC's format (`$argon2id$v=19$...`). Empty lines
//! and those that begin with `#` are passed over. The file is read at each check, so that a change needs no reload.
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};
use ikedaemon::asks::Users;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// What the file may hold at most.
const MAX_OCTETS: u64 = 4 << 20;

/// What a hash may ask for at most, so that a line of the file cannot stop the service: memory in kibibytes, passes.
const MAX_MEMORY: u32 = 256 * 1_024;
const MAX_PASSES: u32 = 64;

/// The users of a file.
#[derive(Debug)]
pub(crate) struct UsersFile {
    path: PathBuf,
}

/// A password that cannot be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub(crate) struct HashError(String);

/// The hash of a password, for a line of the file.
pub(crate) fn hash(password: &[u8]) -> Result<String, HashError> {
    let hashed = Argon2::default().hash_password(password);
    hashed.map(|hash| hash.to_string()).map_err(|error| HashError(error.to_string()))
}

/// What the password of a name that nobody has is compared with: it takes as long as that of one who is there.
fn decoy() -> &'static str {
    static DECOY: OnceLock<String> = OnceLock::new();
    DECOY.get_or_init(|| hash(b"of nobody").unwrap_or_default())
}

impl UsersFile {
    /// The users of the file at `path`, which need not be there yet.
    pub(crate) fn new(path: &Path) -> Self {
        // Before anybody can measure how long the first one takes.
        let _ = decoy();
        Self { path: path.to_owned() }
    }

    fn read(&self) -> Result<Zeroizing<String>, String> {
        let failed = |error| format!("{}: {error}", self.path.display());
        let length = std::fs::metadata(&self.path).map_err(failed)?.len();
        if length > MAX_OCTETS {
            return Err(format!("{} is {length} octets long, allowed: {MAX_OCTETS}", self.path.display()));
        }
        std::fs::read_to_string(&self.path).map(Zeroizing::new).map_err(failed)
    }

    /// The hash of a user, with the number of its line.
    fn find<'a>(text: &'a str, user: &str) -> Option<(usize, &'a str)> {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with('#'));
        // The hash has no colon in it; a name may.
        lines
            .filter_map(|(number, line)| Some((number, line.trim_end().rsplit_once(':')?)))
            .find(|(_, (name, _))| *name == user)
            .map(|(number, (_, hash))| (number, hash))
    }
}

impl Users for UsersFile {
    fn check(&self, user: &str, password: &[u8], _: IpAddr) -> Result<(), String> {
        let text = self.read();
        let found = text.as_ref().ok().and_then(|text| Self::find(text, user));
        // Whoever asks must not learn from the time it takes whether there is such a user.
        let (line, hash) = found.map_or_else(|| (None, decoy()), |(line, hash)| (Some(line), hash));
        let place = || format!("{}:{}", self.path.display(), line.unwrap_or_default());
        let verified = match PasswordHash::new(hash) {
            Ok(hash) if !is_affordable(&hash) => {
                return Err(format!(
                    "{}: the hash takes too much, allowed: {MAX_MEMORY} KiB and {MAX_PASSES} passes",
                    place()
                ));
            }
            Ok(hash) => Argon2::default().verify_password(password, &hash).is_ok(),
            Err(error) => return Err(format!("{}: no hash in PHC's format: {error}", place())),
        };
        match (text, line) {
            (Err(error), _) => Err(error),
            (Ok(_), None) => Err(format!("{} has no such user", self.path.display())),
            (Ok(_), Some(_)) if verified => Ok(()),
            (Ok(_), Some(_)) => Err("the password is wrong".to_owned()),
        }
    }
}

fn is_affordable(hash: &PasswordHash) -> bool {
    Params::try_from(hash).is_ok_and(|params| params.m_cost() <= MAX_MEMORY && params.t_cost() <= MAX_PASSES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn users(name: &str, text: &str) -> UsersFile {
        let path = std::env::temp_dir().join(format!("policyagent-users-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        UsersFile::new(&path)
    }

    #[test]
    fn a_user_is_admitted_by_its_own_password_only() {
        let text = format!("# users\n\njoe:{}\nanne@a:b:{}\n", hash(b"foobar").unwrap(), hash(b"").unwrap());
        let users = users("own", &text);
        assert_eq!(users.check("joe", b"foobar", PEER), Ok(()));
        assert_eq!(users.check("anne@a:b", b"", PEER), Ok(()));
        assert_eq!(users.check("joe", b"", PEER), Err("the password is wrong".to_owned()));
        assert_eq!(users.check("joe", b"foobar ", PEER), Err("the password is wrong".to_owned()));
        for nobody in ["Joe", "jo", "", "# users", "anne@a"] {
            let told = users.check(nobody, b"foobar", PEER).unwrap_err();
            assert!(told.ends_with("has no such user"), "{nobody}: {told}");
        }
        // A change needs no reload.
        std::fs::write(&users.path, format!("joe:{}\n", hash(b"other").unwrap())).unwrap();
        assert_eq!(users.check("joe", b"other", PEER), Ok(()));
        std::fs::remove_file(&users.path).unwrap();
        let told = users.check("joe", b"other", PEER).unwrap_err();
        assert!(told.contains("No such file"), "{told}");
    }

    #[test]
    fn a_name_that_nobody_has_takes_as_long_as_a_wrong_password() {
        let users = users("time", &format!("joe:{}\n", hash(b"foobar").unwrap()));
        // Time of the processor: that of the wall depends on what else the machine does.
        let now = || nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now().map(Duration::from).unwrap();
        let time = |user: &str| -> Duration {
            let best = (0..5).map(|_| {
                let begin = now();
                users.check(user, b"guess", PEER).unwrap_err();
                now().saturating_sub(begin)
            });
            best.min().unwrap_or_default()
        };
        let (wrong, nobody) = (time("joe"), time("nobody"));
        // Without a hash to compare with it would be a thousandth.
        assert!(nobody > wrong / 4 && nobody < wrong * 4, "{wrong:?} and {nobody:?}");
        std::fs::remove_file(&users.path).unwrap();
    }

    #[test]
    fn what_is_no_hash_or_too_dear_names_its_line() {
        let dear = hash(b"foobar").unwrap().replace("m=19456", "m=4000000");
        let users = users("wrong", &format!("\njoe:secret\nanne:{dear}\n"));
        let told = users.check("joe", b"secret", PEER).unwrap_err();
        assert!(told.contains(":2: no hash in PHC's format") && !told.contains("secret"), "{told}");
        let told = users.check("anne", b"foobar", PEER).unwrap_err();
        assert!(told.contains(":3: the hash takes too much"), "{told}");
        std::fs::remove_file(&users.path).unwrap();
    }
}
