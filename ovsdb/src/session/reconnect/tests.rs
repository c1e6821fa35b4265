use std::collections::BTreeSet;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn options() -> ReconnectOptions {
    ReconnectOptions {
        shuffle: false,
        min_backoff: Duration::from_millis(100),
        max_backoff: SECOND * 4,
        spread: SECOND * 6,
    }
}

fn remotes(text: &str) -> Remotes {
    text.parse().unwrap()
}

/// Tries and fails; gives the remote and the delay since `now`, which it moves.
fn fail(reconnect: &mut Reconnect, now: &mut Instant) -> (usize, Duration) {
    let attempt = reconnect.attempt().unwrap();
    let delay = attempt.at - *now;
    *now = attempt.at;
    reconnect.failed(*now);
    (attempt.remote, delay)
}

#[test]
fn goes_round_the_remotes_and_waits_between_rounds() {
    let mut now = Instant::now();
    let mut reconnect = Reconnect::new(&remotes("unix:a,unix:b,unix:c"), options(), 1, now);
    let attempts: Vec<_> = (0..9).map(|_| fail(&mut reconnect, &mut now)).collect();
    assert_eq!(attempts.iter().map(|(remote, _)| *remote).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    for (index, (_, delay)) in attempts.into_iter().enumerate() {
        let most = match index {
            3 => Duration::from_millis(100),
            6 => Duration::from_millis(200),
            _ => Duration::ZERO,
        };
        assert!(delay <= most && delay >= most / 2, "attempt {index} after {delay:?}");
    }
}

#[test]
fn after_a_loss_another_remote_is_first() {
    let now = Instant::now();
    let mut reconnect = Reconnect::new(&remotes("unix:a,unix:b"), options(), 1, now);
    reconnect.connected(now);
    let now = now + SECOND * 60;
    reconnect.lost(now);
    let attempt = reconnect.attempt().unwrap();
    assert_eq!(attempt.remote, 1);
    assert!(attempt.at > now && attempt.at <= now + Duration::from_millis(100), "{:?}", attempt.at - now);
}

#[test]
fn a_server_that_hangs_up_at_once_is_asked_ever_more_seldom() {
    let mut now = Instant::now();
    let mut reconnect = Reconnect::new(&remotes("unix:a"), options(), 1, now);
    for _ in 0..10 {
        reconnect.connected(now);
        reconnect.lost(now);
        now = reconnect.attempt().unwrap().at;
    }
    reconnect.lost(now);
    assert!(reconnect.attempt().unwrap().at >= now + SECOND * 2);
    reconnect.connected(now);
    now += SECOND * 4;
    reconnect.lost(now);
    assert!(
        reconnect.attempt().unwrap().at <= now + Duration::from_millis(100),
        "that was a real connection"
    );
}

#[test]
fn clients_with_one_list_begin_with_different_members() {
    let shuffled = ReconnectOptions { shuffle: true, ..options() };
    let list = remotes("tcp:a,tcp:b,tcp:c");
    let mut first = [0; 3];
    for seed in 0..300 {
        let mut now = Instant::now();
        let mut reconnect = Reconnect::new(&list, shuffled, seed, now);
        first[reconnect.attempt().unwrap().remote] += 1;
        let tried: BTreeSet<usize> = (0..3).map(|_| fail(&mut reconnect, &mut now).0).collect();
        assert_eq!(tried.len(), 3, "each once");
    }
    assert!(first.iter().all(|count| (70..130).contains(count)), "{first:?}");
}

/// The most attempts within any `window`.
fn densest(mut times: Vec<Instant>, window: Duration) -> usize {
    times.sort();
    let after =
        |start: &Instant| times.iter().filter(|time| *time >= start && **time < *start + window).count();
    times.iter().map(after).max().unwrap_or(0)
}

/// `ovsdb-server` takes about 30 connections a second that want a dump, and lets 10 wait.
#[test]
fn two_hundred_clients_come_back_at_a_rate_that_a_server_bears() {
    let start = Instant::now();
    let list = remotes("tcp:10.0.0.1");
    let mut clients: Vec<Reconnect> =
        (0..200).map(|seed| Reconnect::new(&list, options(), seed, start)).collect();
    let lost = start + SECOND * 60;
    for client in &mut clients {
        client.connected(start);
        client.lost(lost);
    }
    // The server is away for some rounds, and back after any of them.
    let mut now = vec![lost; clients.len()];
    for round in 0..6 {
        let times: Vec<Instant> = clients.iter().map(|client| client.attempt().unwrap().at).collect();
        let busiest = densest(times.clone(), SECOND);
        assert!(busiest <= 55, "round {round}: {busiest} in one second");
        let burst = densest(times, Duration::from_millis(30));
        assert!(burst <= 10, "round {round}: {burst} in 30 ms");
        for (client, now) in clients.iter_mut().zip(&mut now) {
            fail(client, now);
        }
    }
}

#[test]
fn without_spread_they_would_not() {
    let start = Instant::now();
    let list = remotes("unix:a");
    let times = (0..200).map(|seed| {
        let mut client = Reconnect::new(&list, options(), seed, start);
        client.lost(start);
        client.attempt().unwrap().at
    });
    assert!(densest(times.collect(), Duration::from_millis(30)) > 50, "on one host there are few clients");
}

#[test]
fn a_connection_that_is_given_up_is_followed_by_another_at_once() {
    let now = Instant::now();
    let mut reconnect = Reconnect::new(&remotes("tcp:a:1,tcp:b:1"), options(), 1, now);
    for remote in [1, 0, 1] {
        reconnect.connected(now);
        reconnect.given_up(now);
        assert_eq!(reconnect.attempt(), Some(Attempt { remote, at: now }));
    }
}
