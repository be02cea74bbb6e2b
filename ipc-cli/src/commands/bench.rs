use crate::Context;
use crate::exit::Outcome;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Bench {}

impl Bench {
    pub(crate) async fn run(self, context: Context) -> Outcome {
        let _ = context;
        Ok(())
    }
}
