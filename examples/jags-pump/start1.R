# Where chain 1 begins, far from chain 2, and what its random numbers begin from.
.RNG.name <- "base::Wichmann-Hill"
.RNG.seed <- 11
alpha <- 0.1
beta <- 0.1
