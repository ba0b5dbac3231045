//! The schema as a test reads it, to generate requests for all its types, fields and arguments.

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};

/// The types of the schema.
pub struct Schema(Vec<TypeDefinition>);

impl Schema {
    pub fn read() -> Self {
        let schema = parse_schema(participant_registry::graphql::sdl()).unwrap();
        let kind = |definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        };
        Self(schema.definitions.into_iter().filter_map(kind).collect())
    }

    pub fn kind(&self, name: &str) -> Option<&TypeKind> {
        self.0.iter().find(|definition| definition.name.node == name).map(|definition| &definition.kind)
    }

    /// Returns the fields of an object type.
    pub fn fields(&self, name: &str) -> Vec<&FieldDefinition> {
        match self.kind(name) {
            Some(TypeKind::Object(object)) => object.fields.iter().map(|field| &field.node).collect(),
            _ => panic!("{name} is no type with fields"),
        }
    }

    /// Returns the fields of an input type, or `None` if it is a scalar or an enumeration.
    pub fn inputs(&self, name: &str) -> Option<Vec<&InputValueDefinition>> {
        match self.kind(name)? {
            TypeKind::InputObject(input) => Some(input.fields.iter().map(|field| &field.node).collect()),
            _ => None,
        }
    }

    pub fn is_enum(&self, name: &str) -> bool {
        matches!(self.kind(name), Some(TypeKind::Enum(_)))
    }

    /// Returns a valid selection of a field.
    pub fn select(&self, field: &FieldDefinition) -> String {
        let inside = match self.kind(base(&field.ty.node)) {
            Some(TypeKind::Object(_) | TypeKind::Interface(_)) => " { __typename }",
            _ => "",
        };
        self.call(field) + inside
    }

    /// Returns a field with the arguments that it requires.
    pub fn call(&self, field: &FieldDefinition) -> String {
        let arguments: Vec<String> = field.arguments.iter().filter_map(|a| self.argument(&a.node)).collect();
        match arguments.is_empty() {
            true => field.name.node.to_string(),
            false => format!("{}({})", field.name.node, arguments.join(", ")),
        }
    }

    /// Returns a required argument with a value of its type.
    fn argument(&self, argument: &InputValueDefinition) -> Option<String> {
        let is_required = !argument.ty.node.nullable && argument.default_value.is_none();
        is_required.then(|| format!("{}: {}", argument.name.node, self.value(&argument.ty.node.base)))
    }

    fn value(&self, kind: &BaseType) -> String {
        let BaseType::Named(name) = kind else { return "[]".to_owned() };
        match self.kind(name) {
            Some(TypeKind::Enum(values)) => values.values[0].node.value.node.to_string(),
            Some(TypeKind::InputObject(input)) => {
                let mut fields: Vec<String> =
                    input.fields.iter().filter_map(|field| self.argument(&field.node)).collect();
                // A OneOf input takes exactly one field.
                if fields.is_empty() && name.ends_with("Key") {
                    let field = &input.fields[0].node;
                    fields.push(format!("{}: {}", field.name.node, self.value(&field.ty.node.base)));
                }
                format!("{{{}}}", fields.join(", "))
            }
            _ => match name.as_str() {
                "Int" | "Rupiah" => "1".to_owned(),
                "Boolean" => "true".to_owned(),
                "Date" => "\"2014-10-02\"".to_owned(),
                _ => "\"x\"".to_owned(),
            },
        }
    }
}

/// Returns the name of a type, or of the items of its list.
pub fn base(kind: &Type) -> &str {
    match &kind.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}

pub fn is_list(kind: &Type) -> bool {
    matches!(kind.base, BaseType::List(_))
}
