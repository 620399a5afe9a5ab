use super::{Work, Workers};
use ikecore::crypto::error::GroupError;
use ikecore::crypto::group::{Group, PrivateKey};
use ikecore::endpoint::{Answer, KeyExchange, KeyExchangeAnswer};
use ikecore::ids::AskId;
use ikecore::testing::SeededRandom;
use std::future::poll_fn;

fn work(seed: u64) -> Work {
    let private = PrivateKey::random(Group::Modp1024, &mut SeededRandom::new(seed)).expect("randomness");
    Work::KeyExchange(KeyExchange::Derive { private, peer: None })
}

async fn answer(workers: &mut Workers) -> (AskId, Result<KeyExchangeAnswer, GroupError>) {
    match poll_fn(|context| workers.poll_answer(context)).await {
        (ask, Answer::KeyExchange(answer)) => (ask, answer),
        (ask, other) => panic!("{ask:?}: {other:?}"),
    }
}

#[tokio::test]
async fn every_ask_is_answered_though_few_run_at_once() {
    let mut workers = Workers::with(2, 100);
    for ask in 0..20 {
        workers.submit(AskId(ask), work(ask));
    }
    assert_eq!(workers.load(), (2, 18));
    let mut answered = Vec::new();
    while answered.len() < 20 {
        let (ask, answer) = answer(&mut workers).await;
        assert_eq!(answer.expect("computed").pair.public().len(), 128);
        assert!(workers.load().0 <= 2);
        answered.push(ask.0);
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..20).collect::<Vec<_>>());
    assert_eq!(workers.load(), (0, 0));
}

#[tokio::test]
async fn what_is_cancelled_before_it_began_is_never_computed() {
    let mut workers = Workers::with(1, 100);
    for ask in 0..3 {
        workers.submit(AskId(ask), work(ask));
    }
    workers.cancel(AskId(1));
    assert_eq!(workers.load(), (1, 1));
    assert_eq!(answer(&mut workers).await.0, AskId(0));
    assert_eq!(answer(&mut workers).await.0, AskId(2));
    assert_eq!(workers.load(), (0, 0));
}

#[tokio::test]
async fn too_many_are_refused_with_an_answer() {
    let mut workers = Workers::with(1, 2);
    for ask in 0..4 {
        workers.submit(AskId(ask), work(ask));
    }
    let mut refused = Vec::new();
    for _ in 0..4 {
        if let (ask, Err(error)) = answer(&mut workers).await {
            assert_eq!(error, GroupError::Busy { waiting: 2 });
            refused.push(ask);
        }
    }
    assert_eq!(refused, [AskId(3)]);
}

#[tokio::test]
async fn the_peers_value_makes_the_shared_secret() {
    let mut workers = Workers::with(1, 2);
    workers.submit(AskId(1), work(1));
    let pair = answer(&mut workers).await.1.expect("computed").pair;
    let private = PrivateKey::random(Group::Modp1024, &mut SeededRandom::new(2)).expect("randomness");
    let derive = KeyExchange::Derive { private, peer: Some(pair.public().to_vec()) };
    workers.submit(AskId(2), Work::KeyExchange(derive));
    let other = answer(&mut workers).await.1.expect("computed");
    let agree = KeyExchange::Agree { pair, peer: other.pair.public().to_vec() };
    workers.submit(AskId(3), Work::KeyExchange(agree));
    let own = answer(&mut workers).await.1.expect("computed");
    let own = own.shared.expect("the peer's value was given");
    assert!(other.shared.expect("the peer's value was given").ct_eq(own.expose()));
}
