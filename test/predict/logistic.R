# A CSV of leads (fold, converted, numbers, words) in; out: AUC, log loss and Brier score of R's own logistic regression
# in the same five folds, then its probability for each lead when it has learned from all, a line each.
options(warn = -1)
leads <- read.csv(file("stdin"), stringsAsFactors = FALSE)
for (name in names(leads)) if (is.character(leads[[name]])) leads[[name]] <- factor(leads[[name]])
varying <- names(leads)[sapply(leads, function(x) length(unique(x)) > 1)]
model <- reformulate(setdiff(varying, c("fold", "converted", "lead")), "converted")
learn <- function(rows) glm(model, binomial, leads[rows, ])
p <- numeric(nrow(leads))
for (fold in unique(leads$fold)) {
    out <- leads$fold == fold
    p[out] <- predict(learn(!out), leads[out, ], type = "response")
}
y <- leads$converted
r <- rank(p)
auc <- (sum(r[y == 1]) - sum(y) * (sum(y) + 1) / 2) / (sum(y) * sum(1 - y))
cat(sprintf("%.9f\n", c(auc, -mean(ifelse(y == 1, log(p), log(1 - p))), mean((p - y)^2))))
cat(sprintf("%d %.9f\n", leads$lead, predict(learn(rep(TRUE, nrow(leads))), leads, type = "response")), sep = "")
