use super::message::Asked;
use super::*;

#[test]
fn what_is_written_is_read() {
    let mut octets = Vec::new();
    Question { number: 7, user: b"joe", password: b"\xff\0", peer: "192.0.2.1" }.write(&mut octets).unwrap();
    Question { number: 8, user: b"", password: b"", peer: "" }.write(&mut octets).unwrap();
    let mut from = octets.as_slice();
    let asked = Asked::read(&mut from).unwrap().unwrap();
    assert_eq!(
        (asked.number, asked.user.as_slice(), asked.password.as_slice()),
        (7, b"joe".as_slice(), b"\xff\0".as_slice())
    );
    assert_eq!(asked.peer, "192.0.2.1");
    let mut again = Vec::new();
    asked.write(&mut again).unwrap();
    assert_eq!(octets[..again.len()], again);
    assert_eq!(Asked::read(&mut from).unwrap().map(|asked| asked.number), Some(8));
    assert!(Asked::read(&mut from).unwrap().is_none());
    // Cut off in the middle it is no end.
    assert!(Asked::read(&mut &octets[..9]).is_err());
}

#[test]
fn a_refusal_without_words_is_no_admission() {
    for (result, read) in [(Ok(()), Ok(())), (Err("no"), Err("no")), (Err(""), Err("no reason given"))] {
        let mut octets = Vec::new();
        Answer { number: 1, result: result.map_err(str::to_owned) }.write(&mut octets).unwrap();
        let answer = Answer::read(&mut octets.as_slice()).unwrap().unwrap();
        assert_eq!(answer, Answer { number: 1, result: read.map_err(str::to_owned) });
    }
}

/// A helper that is not one: the test answers in its place, with a process that ends when it is told to.
fn pam() -> (Pam, UnixStream) {
    let (socket, other) = UnixStream::pair().unwrap();
    let process = Command::new("true").spawn().unwrap();
    (Pam::new(Helper { process, socket }).unwrap(), other)
}

#[test]
fn answers_find_those_who_asked_whatever_their_order() {
    let (pam, mut helper) = pam();
    let peer: IpAddr = [192, 0, 2, 1].into();
    std::thread::scope(|scope| {
        let [joe, anne] = ["joe", "anne"].map(|user| {
            let pam = &pam;
            scope.spawn(move || pam.check(user, b"foobar", peer))
        });
        let asked: Vec<Asked> = (0..2).map(|_| Asked::read(&mut helper).unwrap().unwrap()).collect();
        for Asked { number, user, .. } in asked.iter().rev() {
            let result = if user.as_slice() == b"joe" { Ok(()) } else { Err("unknown".to_owned()) };
            Answer { number: *number, result }.write(&mut helper).unwrap();
        }
        assert_eq!(joe.join().unwrap(), Ok(()));
        assert_eq!(anne.join().unwrap(), Err("unknown".to_owned()));
    });
}

#[test]
fn without_the_helper_nobody_is_admitted() {
    let (pam, mut helper) = pam();
    let peer: IpAddr = [192, 0, 2, 1].into();
    let told = std::thread::scope(|scope| {
        let check = scope.spawn(|| pam.check("joe", b"foobar", peer));
        assert!(Asked::read(&mut helper).unwrap().is_some());
        drop(helper);
        check.join().unwrap().unwrap_err()
    });
    assert!(told.starts_with("the process that asks PAM does not answer"), "{told}");
    let told = pam.check("joe", b"foobar", peer).unwrap_err();
    assert_eq!(told, "the process that asks PAM has ended; restart the service");
}

#[test]
fn a_service_without_a_file_is_refused() {
    let error = Helper::start("no-such-service").unwrap_err();
    assert!(matches!(&error, PamError::NoService(name) if name == "no-such-service"), "{error}");
}
