rule analyze:
    """Check, search and summarise the lightcurves of one bin in all surveys, and inject events into copies of them."""
    input:
        manifests=expand(
            "{project}/manifests/{obs}_photometry_{bin}.jsonl",
            obs=PLAN.observatories,
            allow_missing=True,
        ),
        reduced=expand(
            "{project}/{obs}_photometry_{bin}_reduced.h5",
            obs=PLAN.observatories,
            allow_missing=True,
        ),
    output:
        analysis="{project}/{bin}_analysis.h5",
        histograms="{project}/{bin}_histograms.nc",
        saved=expand(
            "{project}/{obs}_photometry_{bin}_{kind}.h5",
            obs=PLAN.observatories,
            kind=PLAN.saved,
            allow_missing=True,
        ),
    log:
        "{project}/logs/analyze/{bin}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=growing(500, 1000, analyzed_epochs),
        runtime=growing(1, ANALYZE_MINUTES, epochs),
    params:
        stage=stage("analyze"),
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" analyze {wildcards.project} {output}'
        " --params {params.stage:q} --log {log}"
