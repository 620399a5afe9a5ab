use super::*;
use ikecore::secret::Secret;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

#[derive(Debug)]
struct Joe;

impl Users for Joe {
    fn check(&self, user: &str, password: &[u8], _: IpAddr) -> Result<(), String> {
        if (user, password) == ("joe", b"foobar") { Ok(()) } else { Err("wrong".to_owned()) }
    }
}

async fn ask(checks: &mut UserChecks, peer: IpAddr, user: &str, password: &str) -> Result<(), String> {
    let password = Secret::new(password.as_bytes().to_vec());
    checks.submit(AskId(1), XauthCheck { peer: peer.into(), rule: "rule".to_owned(), user: user.to_owned(), password });
    match std::future::poll_fn(|context| checks.poll_answer(context)).await {
        (AskId(1), Answer::Xauth(result)) => result,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_no_comes_slowly_and_a_yes_at_once() {
    let mut checks = UserChecks::new(Some(Arc::new(Joe)));
    let begin = Instant::now();
    assert_eq!(ask(&mut checks, PEER, "joe", "foobar").await, Ok(()));
    assert!(begin.elapsed() < PAUSE);
    assert_eq!(ask(&mut checks, PEER, "joe", "guess").await, Err("wrong".to_owned()));
    assert!(begin.elapsed() >= PAUSE);
}

#[tokio::test(start_paused = true)]
async fn without_users_nobody_is_admitted() {
    let mut checks = UserChecks::new(None);
    assert_eq!(ask(&mut checks, PEER, "joe", "foobar").await, Err("the settings name no users".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn after_some_failures_of_a_peer_nothing_is_looked_at_for_a_while() {
    let mut checks = UserChecks::new(Some(Arc::new(Joe)));
    for _ in 0..OF_PEER {
        assert_eq!(ask(&mut checks, PEER, "somebody", "guess").await, Err("wrong".to_owned()));
    }
    let refused = ask(&mut checks, PEER, "joe", "foobar").await.expect_err("refused");
    assert!(refused.starts_with("10 failures from 192.0.2.1; nothing is looked at for another "), "{refused}");
    // From elsewhere.
    assert_eq!(ask(&mut checks, [192, 0, 2, 2].into(), "joe", "foobar").await, Ok(()));
    tokio::time::advance(WINDOW).await;
    assert_eq!(ask(&mut checks, PEER, "joe", "foobar").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn after_many_failures_with_a_name_nothing_is_looked_at_wherever_it_comes_from() {
    let mut checks = UserChecks::new(Some(Arc::new(Joe)));
    for number in 0..OF_USER {
        let peer = [10, 0, 0, u8::try_from(number).expect("few")].into();
        assert_eq!(ask(&mut checks, peer, "joe", "guess").await, Err("wrong".to_owned()));
    }
    let refused = ask(&mut checks, PEER, "joe", "foobar").await.expect_err("refused");
    assert!(refused.starts_with("30 failures with this name"), "{refused}");
    assert!(!refused.contains("joe"));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_some_are_checked_at_once() {
    let mut checks = UserChecks::new(Some(Arc::new(Joe)));
    for number in 0..AT_ONCE as u64 + 1 {
        let password = Secret::new(b"foobar".to_vec());
        let check = XauthCheck { peer: PEER.into(), rule: String::new(), user: "joe".to_owned(), password };
        checks.submit(AskId(number), check);
    }
    let mut refused = 0;
    for _ in 0..=AT_ONCE {
        let (_, answer) = std::future::poll_fn(|context| checks.poll_answer(context)).await;
        refused += u32::from(matches!(answer, Answer::Xauth(Err(_))));
    }
    assert_eq!(refused, 1);
}

#[test]
fn the_memory_for_failures_is_bounded() {
    let mut failures = Failures::default();
    let now = Instant::now();
    for number in 0..2 * REMEMBERED {
        failures.count(PEER.into(), &format!("user {number}"), now);
    }
    assert!(failures.0.len() <= REMEMBERED);
    failures.count(PEER.into(), "late", now + WINDOW);
    assert!(failures.0.len() <= 4, "what is over is forgotten");
}
