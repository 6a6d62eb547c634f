/* Runs before a page's own scripts, and notes what tests want to know of them. */
window.watched = { complaints: [], settled: 0 };

addEventListener("securitypolicyviolation", (e) => {
  watched.complaints.push(`policy: ${e.violatedDirective} refuses ${e.blockedURI}`);
});

addEventListener("unhandledrejection", (e) => {
  watched.complaints.push(`rejection: ${e.reason}`);
});

/* A fetch is settled when it failed, or when all of the answer has come. */
window.fetch = new Proxy(window.fetch, {
  apply(real, self, given) {
    const answer = Reflect.apply(real, self, given);
    answer
      .then((a) => a.clone().arrayBuffer())
      .catch(() => {})
      .finally(() => setTimeout(() => watched.settled++));
    return answer;
  },
});
