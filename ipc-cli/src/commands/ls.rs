use crate::Context;
use crate::exit::Outcome;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Ls {}

impl Ls {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let _ = context;
        Ok(())
    }
}
