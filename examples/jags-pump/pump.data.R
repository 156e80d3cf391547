# Failures x of ten pumps of a nuclear plant in t thousand hours of operation.
N <- 10
x <- c(5, 1, 5, 14, 3, 19, 1, 1, 4, 22)
t <- c(94.3, 15.7, 62.9, 126, 5.24, 31.4, 1.05, 1.05, 2.1, 10.5)
