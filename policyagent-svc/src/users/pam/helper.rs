//! The helper process: it keeps the rights that the service gives up, and starts a process for each question.
use super::check::ended;
use super::message::{Answer, Asked};
use super::{PROGRAM, lock};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Questions at once: the service asks fewer.
const AT_ONCE: usize = 16;

/// Answers the questions that come by standard input, a socket, until its other end is closed.
pub(crate) fn serve(service: &str) -> ExitCode {
    match answer_all(service) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("policyagent: the process that asks PAM: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer_all(service: &str) -> io::Result<()> {
    let mut questions = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let answers = Arc::new(Mutex::new(questions.try_clone()?));
    let running = Arc::new(AtomicUsize::new(0));
    while let Some(question) = Asked::read(&mut questions)? {
        let (answers, running, service) = (Arc::clone(&answers), Arc::clone(&running), service.to_owned());
        let busy = running.fetch_add(1, Ordering::Relaxed) >= AT_ONCE;
        std::thread::Builder::new().spawn(move || {
            let result =
                if busy { Err(format!("{AT_ONCE} checks are running already")) } else { ask(&service, &question) };
            running.fetch_sub(1, Ordering::Relaxed);
            // Who does not read any more does not want to know.
            let _ = Answer { number: question.number, result }.write(&mut *lock(&answers));
        })?;
    }
    Ok(())
}

/// Has a process of its own ask.
fn ask(service: &str, question: &Asked) -> Result<(), String> {
    let mut command = Command::new(PROGRAM);
    command.args(["pam-check", service]).stdin(Stdio::piped()).stdout(Stdio::piped()).env_clear();
    let failed = |error: io::Error| format!("cannot start the check: {error}");
    let mut process = command.spawn().map_err(failed)?;
    let asked = process.stdin.take().map_or(Ok(()), |mut stdin| question.write(&mut stdin));
    let answer = process.stdout.take().map_or(Ok(None), |mut stdout| Answer::read(&mut stdout));
    let status = process.wait().map_err(failed)?;
    asked.map_err(failed)?;
    answer.map_err(failed)?.map_or_else(|| Err(ended(service, status)), |answer| answer.result)
}
