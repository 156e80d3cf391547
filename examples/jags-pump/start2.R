# Where chain 2 begins, far from chain 1, and what its random numbers begin from.
.RNG.name <- "base::Marsaglia-Multicarry"
.RNG.seed <- 12
alpha <- 10
beta <- 10
