// Starts Swagger UI. A file of its own: the page's policy allows no script inside it.
window.ui = SwaggerUIBundle({
  url: document.getElementById("swagger-ui").dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  // Its validator would send the document to another host.
  validatorUrl: null,
});
