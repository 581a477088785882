/* container.account.example.com/object becomes /v1/account/container/object, and back in where an
 * answer points to. Swift: common/middleware/domain_remap.py */
#include "lib/base/encode.h"
#include "proxy/middleware/kinds.h"

#include <jansson.h>

struct domain_remap_conf {
	struct conf_list storage_domain, reseller_prefixes;
	const char *path_root, *default_reseller_prefix;
	bool mangle_client_paths;
};

static struct domain_remap_conf conf;
static const struct conf_option options[] = {
	OPT_LIST(struct domain_remap_conf, storage_domain, "",
		 "Domains whose hosts are remapped; none: off."),
	OPT_STR(struct domain_remap_conf, path_root, "v1",
		"First part of the paths that are made."),
	OPT_LIST(struct domain_remap_conf, reseller_prefixes, "AUTH",
		 "Account prefixes that hosts may write in any case."),
	OPT_STR(struct domain_remap_conf, default_reseller_prefix, NULL,
		"Prefix for accounts that have none of these."),
	OPT_BOOL(struct domain_remap_conf, mangle_client_paths, "false",
		 "Drop a leading path_root from the client's path (for old clients)."),
	OPT_END,
};
static const struct conf_section section = {
	.name = "domain_remap",
	.help = "Accounts and containers in host names.",
	.options = options,
	.into = &conf,
	.size = sizeof conf,
};

/* What stands in front of one of our domains, or absent. */
static struct str host_labels(struct request *req)
{
	struct str host = headers_get_lit(&req->headers, "Host");
	ssize_t colon = str_rchr(host, ':');

	if (colon >= 0)
		host = str_head(host, (size_t)colon);
	for (unsigned i = 0; i < conf.storage_domain.count; i++) {
		struct str domain = conf.storage_domain.items[i];

		if (!str_starts(domain, S(".")))
			domain = arena_printf(req->arena, ".%.*s", STR(domain));
		if (!str_ends(host, domain))
			continue;
		host = str_head(host, host.n - domain.n);
		while (str_starts(host, S(".")))
			host = str_skip(host, 1);
		while (str_ends(host, S(".")))
			host.n--;
		return host;
	}
	return STR_NONE;
}

/* The account with its prefix in the configured case: absent when it has none of ours. */
static struct str real_account(struct request *req, struct str account)
{
	char *p = arena_cstr(req->arena, account);
	ssize_t dash = str_chr(account, '-');

	if (str_chr(account, '_') < 0 && dash >= 0)
		p[dash] = '_';
	account.p = p;
	struct str rest = account, prefix = str_cut(&rest, '_');

	if (conf.reseller_prefixes.count == 0)
		return account;
	for (unsigned i = 0; i < conf.reseller_prefixes.count; i++)
		if (str_ieq(prefix, conf.reseller_prefixes.items[i]))
			return arena_printf(req->arena, "%.*s%.*s",
					    STR(conf.reseller_prefixes.items[i]),
					    STR(str_skip(account, prefix.n)));
	if (conf.default_reseller_prefix && *conf.default_reseller_prefix)
		return arena_printf(req->arena, "%s_%.*s", conf.default_reseller_prefix,
				    STR(account));
	return STR_NONE;
}

static void rewrite(struct request *req, struct str account, struct str container)
{
	struct proxy_request *p = proxy_request(req);
	struct str path = str_skip(req->path, 1),
		   root = arena_printf(req->arena, "%s/", conf.path_root);

	if (conf.mangle_client_paths &&
	    (str_starts(path, root) || str_eq(path, str_head(root, root.n - 1))))
		path = str_skip(path, root.n);
	req->path = arena_printf(req->arena, "/%s/%.*s/%.*s%s%.*s", conf.path_root, STR(account),
				 STR(container), container.n ? "/" : "", STR(path));
	memset(&p->path, 0, sizeof p->path);
	p->path_error = swift_path_parse(req->arena, req->path, &p->path);
}

static struct str requoted(struct request *req, struct str path)
{
	CLEANUP(buf_done) struct buf b = BUF(64 * KIB);

	percent_encode(&b, percent_decode(req->arena, path), S("/"));
	return arena_str(req->arena, buf_str(&b));
}

/* A redirect names the path as the client knows it (RewriteContext). */
static void restore(struct request *req, struct header *h, struct str asked, struct str made)
{
	struct str path = h->value;

	if (!str_ieq(h->name, S("Location")) && !str_ieq(h->name, S("Content-Location")))
		return;
	if (!str_starts(path, S("http://")) && !str_starts(path, S("https://")))
		return;
	path = str_skip(path, (size_t)str_find(path, S("//")) + 2);
	ssize_t slash = str_chr(path, '/');

	if (slash < 0 || !str_starts(str_skip(path, (size_t)slash), made))
		return;
	path = str_skip(path, (size_t)slash);
	h->value = arena_printf(req->arena, "%.*s%.*s%.*s", (int)(path.p - h->value.p), h->value.p,
				STR(asked), STR(str_skip(path, made.n)));
}

waits static void handle(struct middleware *mw, struct request *req, struct response *res)
{
	struct str asked = req->path;
	struct str labels = conf.storage_domain.count ? host_labels(req) : STR_NONE;
	struct str container = STR_NONE, account = labels;

	if (labels.n && str_chr(labels, '.') >= 0)
		container = str_cut(&account, '.');
	if (account.n && str_chr(account, '.') >= 0) {
		respond_text(res, 400, "Bad domain in host header");
		return;
	}
	if (account.n)
		account = real_account(req, account);
	if (!account.n) {
		middleware_next(mw, req, res);
		return;
	}
	rewrite(req, account, container);
	struct str made = requoted(req, req->path);

	asked = requoted(req, asked);
	middleware_next(mw, req, res);
	for (unsigned i = 0; i < res->headers.n; i++)
		restore(req, &res->headers.v[i], asked, made);
}

static int start(struct middleware *mw, struct proxy *proxy, struct fault *why)
{
	json_t *info = json_object(), *prefixes = json_array();

	(void)mw, (void)why;
	for (unsigned i = 0; i < conf.reseller_prefixes.count; i++)
		json_array_append_new(prefixes, json_string(conf.reseller_prefixes.items[i].p));
	json_object_set_new(info, "default_reseller_prefix",
			    conf.default_reseller_prefix ? json_string(conf.default_reseller_prefix)
							 : json_null());
	json_object_set_new(info, "reseller_prefixes", prefixes);
	if (conf.storage_domain.count)
		json_object_set(proxy->info, "domain_remap", info);
	json_decref(info);
	return 0;
}

const struct middleware_kind middleware_domain_remap = {
	.name = "domain_remap", .section = &section, .start = start, .handle = handle,
};
