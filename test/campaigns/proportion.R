# "x1 n1 x2 n2" a line in, the p-value of R's own test a line out.
cases <- as.matrix(read.table(file("stdin")))
for (i in seq_len(nrow(cases))) {
    case <- as.double(cases[i, ])
    p <- suppressWarnings(prop.test(case[c(1, 3)], case[c(2, 4)], correct = FALSE)$p.value)
    cat(sprintf("%.17g\n", p))
}
